"""Finds secrets nobody told us about."""

from __future__ import annotations

from .spans import Span


def find_unknown(text: str, spans: list[Span]) -> None:
    """Add the spans of what looks like a secret."""

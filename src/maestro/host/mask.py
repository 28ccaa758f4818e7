"""Keep a stack's secrets out of what a host reports."""

from __future__ import annotations

from ..redaction import Redactor
from .layout import Layout


def redactor(layout: Layout) -> Redactor:
    """A redactor that knows every version of every secret of the stack on this host."""
    return Redactor(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(layout.secrets.glob("*/*/*"))
    )

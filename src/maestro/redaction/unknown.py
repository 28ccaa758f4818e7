"""Finds secrets nobody told us about: by format, by place, by name, by command line."""

from __future__ import annotations

from . import cmdline, fields, files, patterns, places
from .spans import Span


def lower(text: str) -> str:
    """Return the text in lower case, character by character."""
    low = text.lower()
    if len(low) == len(text):
        return low
    # One capital letter of Unicode becomes two characters.
    return "".join(char if len(char.lower()) != 1 else char.lower() for char in text)


def find_unknown(text: str, spans: list[Span]) -> None:
    """Add the spans of what looks like a secret."""
    low = lower(text)
    patterns.find_tokens(text, low, spans)
    places.find_places(text, low, spans)
    fields.find_fields(text, low, spans)
    files.find_files(text, low, spans)
    cmdline.find_commands(text, low, spans)

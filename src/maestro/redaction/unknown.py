"""Finds secrets nobody told us about: by format, by place, by name, by command line."""

from __future__ import annotations

import re
from collections.abc import Collection

from . import cmdline, encoded, fields, files, patterns, places, statements, webhooks
from .spans import Span


def lower(text: str) -> str:
    """Return the text in lower case, character by character."""
    low = text.lower()
    if len(low) == len(text):
        return low
    # One capital letter of Unicode becomes two characters.
    return "".join(char if len(char.lower()) != 1 else char.lower() for char in text)


class Vocabulary:
    """The words of a text, each once, in lower case: what is not among them need not be looked for."""

    def __init__(self, low: str) -> None:
        if "\\" in low or "%" in low:
            low = _ESCAPED.sub(" ", low)
        self.words = set(low.translate(_WORDS).split())
        self.text = "\n".join(self.words)
        self.heads = {word[: patterns.HEAD] for word in self.words}


_WORDS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
# What is escaped is no part of the word behind it; the letter behind a Windows path's `\\` is.
_ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt0]|[^a-z])|%[0-9a-fA-F]{2}")


def find_unknown(text: str, spans: list[Span], names: Collection[str] = ()) -> set[str]:
    """Add the spans of what looks like a secret; ``names`` are the names of the known ones.

    Returns the beginnings of the text's words, in lower case.
    """
    low = lower(text)
    vocabulary = Vocabulary(low)
    heads = vocabulary.heads
    patterns.find_tokens(text, low, heads, spans)
    webhooks.find_webhooks(text, vocabulary.words, spans)
    places.find_places(text, low, heads, spans)
    fields.find_fields(text, low, vocabulary.text, spans, names)
    statements.find_statements(text, low, vocabulary.text, spans)
    files.find_files(text, low, heads, spans)
    cmdline.find_commands(text, low, vocabulary.words, spans)
    encoded.find_encoded_commands(text, spans, find_unknown)
    return heads

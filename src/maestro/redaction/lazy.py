"""Patterns that are compiled when they are needed: most texts need few, and a start should be fast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property


class Lazy:
    """A pattern with the methods of `re.Pattern` that are used."""

    def __init__(self, shape: str, flags: int = 0) -> None:
        self.shape, self.flags = shape, flags

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern itself."""
        return re.compile(self.shape, self.flags)

    def match(self, text: str, start: int = 0, end: int = 2**62) -> re.Match[str] | None:
        """Match at ``start``."""
        return self.pattern.match(text, start, end)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Match the whole text."""
        return self.pattern.fullmatch(text)

    def search(self, text: str, start: int = 0, end: int = 2**62) -> re.Match[str] | None:
        """Match anywhere from ``start`` on."""
        return self.pattern.search(text, start, end)

    def finditer(self, text: str, start: int = 0, end: int = 2**62) -> Iterator[re.Match[str]]:
        """Yield the matches from ``start`` to ``end``."""
        return self.pattern.finditer(text, start, end)

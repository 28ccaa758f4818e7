"""Patterns that are compiled when they are needed: most texts need few, and a start should be fast."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_Found = re.Match[str] | None


class Lazy:
    """A pattern with the methods of `re.Pattern` that are used; after the first use they are its own."""

    match: Callable[..., _Found]
    fullmatch: Callable[..., _Found]
    search: Callable[..., _Found]
    finditer: Callable[..., Iterator[re.Match[str]]]

    def __init__(self, shape: str, flags: int = 0) -> None:
        self.shape, self.flags = shape, flags

    def __getattr__(self, name: str) -> object:
        """Compile the pattern at the first use of a method."""
        if name not in Lazy.__annotations__:
            raise AttributeError(name)
        pattern = re.compile(self.shape, self.flags)
        self.__dict__.update({each: getattr(pattern, each) for each in Lazy.__annotations__})
        return self.__dict__[name]

"""Spans of text to mask, and the way back from a changed view of a text to the text itself.

A span is a pair of character offsets, ``(start, end)``, end exclusive.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable

Span = tuple[int, int]


def merge(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that overlap or touch made one; empty ones fall away."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


class Masked:
    """A text with some spans masked, and the way back to it."""

    def __init__(self, source: str, spans: list[Span], mask: str) -> None:
        self._spans = spans
        self._starts: list[int] = []
        self._width = len(mask)
        if not spans:
            self.text = source
            return
        parts: list[str] = []
        at = made = 0
        for start, end in spans:
            made += start - at
            self._starts.append(made)
            parts += (source[at:start], mask)
            made += len(mask)
            at = end
        parts.append(source[at:])
        self.text = "".join(parts)

    def back(self, span: Span) -> Span:
        """Return the span of the source; a mask counts as a whole."""
        if not self._spans:
            return span
        return self._origin(span[0], first=True), self._origin(span[1], first=False)

    def _origin(self, offset: int, *, first: bool) -> int:
        number = bisect_right(self._starts, offset if first else offset - 1) - 1
        if number < 0:
            return offset
        begin, (start, end) = self._starts[number], self._spans[number]
        if offset < begin + self._width:
            return start if first else end
        return end + offset - begin - self._width


class View:
    """A text made from another by replacing every match of one pattern.

    Most views are searched without a hit, so the way back is computed only when it is asked for.
    """

    def __init__(
        self,
        source: str,
        pattern: re.Pattern[str],
        replace: str | Callable[[re.Match[str]], str],
        parent: View | None = None,
    ) -> None:
        self.source = source
        self.pattern = pattern
        self.replace = replace
        self.parent = parent
        self.text = pattern.sub(replace, source)
        self._starts: list[int] | None = None
        self._pieces: list[tuple[int, int, int]] = []

    def _index(self) -> list[int]:
        if self._starts is None:
            pieces: list[tuple[int, int, int]] = []
            copied = made = 0
            for match in self.pattern.finditer(self.source):
                start, end = match.span()
                if start > copied:
                    pieces.append((made, copied, 1))
                    made += start - copied
                new = self.replace if isinstance(self.replace, str) else self.replace(match)
                if new:
                    # Every character of a replacement stands for the whole match.
                    pieces.append((made, start, 0))
                    made += len(new)
                copied = end
            pieces.append((made, copied, 1))
            self._pieces = pieces
            self._starts = [piece[0] for piece in pieces]
        return self._starts

    def _origin(self, offset: int) -> tuple[int, int]:
        """Return where the character at ``offset`` came from, as a span of the source."""
        at = bisect_right(self._index(), offset) - 1
        made, source, straight = self._pieces[at]
        if straight:
            start = source + offset - made
            return start, start + 1
        match = self.pattern.match(self.source, source)
        return source, match.end() if match else source + 1

    def back(self, span: Span) -> Span:
        """Return the span of the first source that a span of this view was made from."""
        start = self._origin(span[0])[0]
        end = self._origin(span[1] - 1)[1]
        return self.parent.back((start, end)) if self.parent else (start, end)

"""Finds thousands of known strings in one pass, in plain Python.

Every string of 7 or more characters is filed under 4 overlapping pieces of 4 characters. A text is
then looked at only at every 4th position: wherever the string stands, one of its 4 pieces lies
there. That is a quarter of the look-ups of a sliding window, whatever the number of strings.
"""

from __future__ import annotations

from collections.abc import Iterable

from .spans import Span

_PIECE = 4
_SHORTEST = 2 * _PIECE - 1
_CROWDED = 6
_FEW = 48

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

# offset of the piece in the string, the string, partial characters before and after, whole words only
_Entry = tuple[int, str, int, int, bool]


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"


def at_boundary(text: str, start: int, end: int) -> bool:
    """Tell whether the span is not a part of a longer word."""
    if start > 0 and _wordy(text[start]) and _wordy(text[start - 1]):
        return False
    return not (end < len(text) and _wordy(text[end - 1]) and _wordy(text[end]))


class Index:
    """A set of strings to find."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[_Entry]] = {}
        self._short: dict[str, tuple[int, int, bool]] = {}
        self._known: dict[str, bool] = {}
        self.longest = 0

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, form: str, before: int = 0, after: int = 0, *, whole: bool = False) -> None:
        """Add a string; with ``whole`` it counts only where it is no part of a longer word."""
        known = self._known.get(form)
        if known is not None and (whole or not known):
            return
        self._known[form] = whole
        length = len(form)
        self.longest = max(self.longest, length)
        if length < _SHORTEST:
            self._short[form] = (before, after, whole)
            return
        pieces = self._pieces
        last = length - _SHORTEST
        # The middle is where a value differs from its like; a crowded piece is avoided.
        at = last // 2
        if len(pieces.get(form[at : at + _PIECE], ())) >= _CROWDED:
            tries = {0, last, last // 4, last // 3, 2 * last // 3, 3 * last // 4}
            at = min(tries, key=lambda start: len(pieces.get(form[start : start + _PIECE], ())))
        for offset in range(at, at + _PIECE):
            piece = form[offset : offset + _PIECE]
            entry = (offset, form, before, after, whole)
            if piece in pieces:
                pieces[piece].append(entry)
            else:
                pieces[piece] = [entry]

    def find(self, text: str, *, short: bool = True) -> list[Span]:
        """Return the spans of every known string in the text, in no order, possibly overlapping."""
        spans: list[Span] = []
        pieces = self._pieces
        if pieces and len(text) >= _SHORTEST:
            for at in [i for i in range(0, len(text), _PIECE) if text[i : i + _PIECE] in pieces]:
                for offset, form, before, after, whole in pieces[text[at : at + _PIECE]]:
                    start = at - offset
                    if start >= 0 and text.startswith(form, start):
                        end = start + len(form)
                        if not whole or at_boundary(text, start, end):
                            spans.append(_extend(text, start, end, before, after))
        if short and self._short:
            spans.extend(self._find_short(text))
        return spans

    def _find_short(self, text: str) -> Iterable[Span]:
        if len(self._short) <= _FEW:
            for form, (before, after, whole) in self._short.items():
                start = text.find(form)
                while start >= 0:
                    end = start + len(form)
                    if not whole or at_boundary(text, start, end):
                        yield _extend(text, start, end, before, after)
                    start = text.find(form, start + 1)
            return
        lengths = sorted({len(form) for form in self._short})
        for length in lengths:
            for start in range(len(text) - length + 1):
                found = self._short.get(text[start : start + length])
                if found and (not found[2] or at_boundary(text, start, start + length)):
                    yield _extend(text, start, start + length, found[0], found[1])


def _extend(text: str, start: int, end: int, before: int, after: int) -> Span:
    """Take in the base64 characters that hold a part of the value, and the padding."""
    while before and start > 0 and text[start - 1] in _BASE64:
        start -= 1
        before -= 1
    padded = after
    while after and end < len(text) and text[end] in _BASE64:
        end += 1
        after -= 1
    if padded:
        stop = min(end + 2, len(text))
        while end < stop and text[end] == "=":
            end += 1
    return start, end

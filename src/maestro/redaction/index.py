"""Finds thousands of known strings in one pass, in plain Python.

A string of 15 or more characters is filed under 8 overlapping pieces of 8 characters. A text is then
looked at only at every 8th position: wherever the string stands, one of its 8 pieces lies there.
That is an eighth of the look-ups of a sliding window, whatever the number of strings. Strings of 7
to 14 characters are filed under 4 pieces of 4 in the same way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat

from .spans import Span

_LONG, _SHORT = 8, 4
_LONGER = 2 * _LONG - 1
_SHORTER = 2 * _SHORT - 1
_EDGE = 2 * _LONG  # characters on either side of a line break that a broken piece can reach
_CROWDED = 6
_PIECE = 32  # characters of a line that belong to a piece of a key
_FEW = 48

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

# the string, partial characters before and after it, whole words only
_Form = tuple[str, int, int, bool]


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"


def at_boundary(text: str, start: int, end: int) -> bool:
    """Tell whether the span is not a part of a longer word."""
    if start > 0 and _wordy(text[start]) and _wordy(text[start - 1]):
        return False
    return not (end < len(text) and _wordy(text[end - 1]) and _wordy(text[end]))


class _Tier:
    """Strings filed under pieces of one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        # Each with where the first piece stands under which it is filed.
        self.forms: list[tuple[_Form, int]] = []
        # A piece's number is that of its string; where several have it, ``more`` has all.
        self.numbers: dict[str, int] = {}
        self.more: dict[str, list[int]] = {}

    def add(self, forms: list[_Form]) -> None:
        """File strings, each under as many neighbouring pieces as a piece is long."""
        for form in forms:
            # The middle is where a value differs from its like.
            at = (len(form[0]) - 2 * self.size + 1) // 2
            if not self._file(form, at, _CROWDED):
                self._file(form, self._least_crowded(form[0]))

    def _file(self, form: _Form, at: int, most: int | None = None) -> bool:
        """File a string under the pieces from there on, unless ``most`` others have one of them."""
        size, numbers = self.size, self.numbers
        text, number = form[0], len(self.forms)
        pieces = [text[i : i + size] for i in range(at, at + size)]
        firsts = list(map(numbers.setdefault, pieces, repeat(number)))
        if firsts.count(number) != size:
            more = self.more
            shared = {
                piece: first for piece, first in zip(pieces, firsts, strict=True) if first != number
            }
            if most and any(len(more.get(piece, ())) >= most for piece in shared):
                for piece in set(pieces).difference(shared):
                    del numbers[piece]
                return False
            for piece, first in shared.items():
                more.setdefault(piece, [first]).append(number)
        self.forms.append((form, at))
        return True

    def _least_crowded(self, text: str) -> int:
        last = len(text) - 2 * self.size + 1
        tries = (last // 2, 0, last, last // 4, last // 3, 2 * last // 3, 3 * last // 4)
        return min(dict.fromkeys(tries), key=lambda start: self._taken(text, start))

    def _taken(self, text: str, start: int) -> int:
        pieces = [text[i : i + self.size] for i in range(start, start + self.size)]
        return sum(len(self.more.get(piece, "1")) for piece in pieces if piece in self.numbers)

    def find(self, text: str, spans: list[Span], most: int) -> list[Span]:
        """Add the spans of the strings; return where one should be of which a piece was seen only.

        More than ``most`` partial characters on either side are not taken in.
        """
        size, numbers = self.size, self.numbers
        broken: list[Span] = []
        if not numbers or len(text) < 2 * size - 1:
            return broken
        for at in [i for i in range(0, len(text), size) if text[i : i + size] in numbers]:
            piece, found = text[at : at + size], False
            missed: list[Span] = []
            for number in self.more.get(piece) or (numbers[piece],):
                (form, before, after, whole), first = self.forms[number]
                for start in self._starts(form, first, piece, at):
                    end = start + len(form)
                    if start < 0 or not text.startswith(form, start):
                        missed.append((start, end))
                        continue
                    found = True
                    if not whole or at_boundary(text, start, end):
                        taken = (before if before <= most else 0, after if after <= most else 0)
                        spans.append(_extend(text, start, end, *taken))
            if not found:
                broken.extend(missed)
        return broken

    def _starts(self, form: str, first: int, piece: str, at: int) -> Iterator[int]:
        """Yield where a string would begin one of whose pieces stands at ``at``."""
        end = first + 2 * self.size - 1
        place = form.find(piece, first, end)
        while place >= 0:
            yield at - place
            place = form.find(piece, place + 1, end)


class Index:
    """A set of strings to find."""

    def __init__(self) -> None:
        self._long, self._short = _Tier(_LONG), _Tier(_SHORT)
        self._words: dict[str, tuple[int, int, bool]] = {}

    def __bool__(self) -> bool:
        return bool(self._words or self._short.forms or self._long.forms)

    def add(self, forms: Iterable[tuple[str, int, int]], *, whole: bool = False) -> None:
        """Add strings; with ``whole`` they count only where they are no part of a longer word."""
        # Of one value several forms may be the same; of two values hardly any.
        added: dict[str, _Form] = {form[0]: (*form, whole) for form in forms}
        self._long.add([form for text, form in added.items() if len(text) >= _LONGER])
        if min(map(len, added), default=_LONGER) >= _LONGER:
            return
        self._short.add([form for text, form in added.items() if _SHORTER <= len(text) < _LONGER])
        for text, (_, before, after, _) in added.items():
            if len(text) < _SHORTER and not (whole and text in self._words):
                self._words[text] = (before, after, whole)

    def find(self, text: str, *, words: bool = True) -> tuple[list[Span], list[Span]]:
        """Return the spans of every known string, in no order, possibly overlapping.

        Without ``words`` the text may be one whose lines were joined: short strings are not looked
        for, and what is next to a piece of a key may belong to another line.

        The second result is where a part of a long string was seen without the rest of it: it may
        be broken by a line or an escape.
        """
        spans: list[Span] = []
        most = _PIECE if words else 2
        broken = self._long.find(text, spans, most)
        self._short.find(text, spans, most)
        if words and self._words:
            spans.extend(self._find_words(text))
        return spans, broken

    def is_broken_by_lines(self, lines: list[str]) -> bool:
        """Tell whether a known string may run over the end of a line.

        ``lines`` are the lines without what may stand around a line break.
        """
        if len(lines) < 2 or not (self._long.numbers or self._short.numbers):
            return False
        edges = [
            line if len(line) <= 2 * _EDGE else f"{line[:_EDGE]}\0{line[-_EDGE:]}" for line in lines
        ]
        spans, broken = self.find("".join(edges), words=False)
        if not spans and not broken:
            return False
        joints = list(accumulate(map(len, edges)))
        return any(_crosses(joints, start, end) for start, end in (*spans, *broken))

    def _find_words(self, text: str) -> Iterable[Span]:
        if len(self._words) <= _FEW:
            for form, (before, after, whole) in self._words.items():
                start = text.find(form)
                while start >= 0:
                    end = start + len(form)
                    if not whole or at_boundary(text, start, end):
                        yield _extend(text, start, end, before, after)
                    start = text.find(form, start + 1)
            return
        lengths = sorted({len(form) for form in self._words})
        for length in lengths:
            for start in range(len(text) - length + 1):
                found = self._words.get(text[start : start + length])
                if found and (not found[2] or at_boundary(text, start, start + length)):
                    yield _extend(text, start, start + length, found[0], found[1])


def _crosses(joints: list[int], start: int, end: int) -> bool:
    """Tell whether a span holds the end of a line and the beginning of the next."""
    at = bisect_right(joints, start)
    return at < len(joints) and joints[at] < end


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

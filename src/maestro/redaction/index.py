"""Finds thousands of known strings in one pass, in plain Python.

All is done on bytes of UTF-8, where a string stands wherever it stands in the text. A text is read
as numbers of 8 bytes, one from every 4th byte on. A string of 11 or more bytes is filed under 4
overlapping pieces of 8 bytes, also read as numbers: wherever it stands, one of its pieces is a
number of the text. Which numbers both have is one operation on sets, whatever the number of
strings. Strings of 7 to 10 bytes are filed under 4 pieces of 4 in the same way.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, repeat

from .spans import Span

_STEP = 4  # a number of the text begins at every such byte; a string has as many pieces
_LONG, _SHORT = 8, 4  # bytes of a piece
_LONGER, _SHORTER = _LONG + _STEP - 1, _SHORT + _STEP - 1
_NUMBER = {_LONG: "Q", _SHORT: "I"}
_EDGE = 16  # characters on either side of a line break that a broken piece can reach
_CROWDED = 6
_PIECE = 32  # characters of a line that belong to a piece of a key
_FEW = 48
_RARE = 8

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
# 1 for a byte that begins a character, else 0.
_BEGINS = bytes(not 0x80 <= byte < 0xC0 for byte in range(256))

# The string, and how many partial characters stand before and after it.
Form = tuple[str, int, int]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"


def at_boundary(text: str, start: int, end: int) -> bool:
    """Tell whether the span is not a part of a longer word."""
    if start > 0 and _wordy(text[start]) and _wordy(text[start - 1]):
        return False
    return not (end < len(text) and _wordy(text[end - 1]) and _wordy(text[end]))


def _characters(text: str, data: bytes) -> Callable[[int], int]:
    """Return what turns an offset in the bytes of a text into one in the text."""
    if len(data) == len(text):
        return int
    counts = [0, *accumulate(data.translate(_BEGINS))]
    surplus = len(data) - len(text)
    # A string of which a piece was seen only may reach beyond the text.
    return lambda at: counts[at] if 0 <= at < len(counts) else at - surplus


class _Tier:
    """Strings filed under pieces of one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.reach = size + _STEP - 1  # bytes that the pieces of a string make together
        self.forms: list[Form] = []
        self.raws: list[bytes] = []
        # The numbers of those that count as whole words only, and of those that are filed elsewhere
        # than under the pieces in their middle: where the first of these stands.
        self.whole: set[int] = set()
        self.elsewhere: dict[int, int] = {}
        # A piece's number is that of its string; where several have it, ``more`` has all.
        self.numbers: dict[int, int] = {}
        self.more: dict[int, tuple[int, ...]] = {}

    def add(self, forms: list[Form], raws: list[bytes], *, whole: bool) -> None:
        """File strings and their bytes."""
        begin, size = len(self.forms), self.size
        self.forms += forms
        self.raws += raws
        numbers = list(range(begin, len(self.forms)))
        if whole:
            self.whole.update(numbers)
        # The middle is where a value differs from its like.
        reach, width = self.reach, 2 * size
        rows = self._pieces([raw[(len(raw) - reach) // 2 :][:width] for raw in raws])
        filed = [list(map(self.numbers.setdefault, row, numbers)) for row in rows]
        if all(row == numbers for row in filed):
            return
        for number, *firsts in zip(numbers, *filed, strict=True):
            if firsts.count(number) != _STEP:
                self._share(number, [row[number - begin] for row in rows])

    def _middle(self, raw: bytes) -> int:
        return (len(raw) - self.reach) // 2

    def _pieces(self, windows: list[bytes]) -> list[array[int]]:
        """Return the first piece of each window, the second of each, and so on."""
        block = 2 * self.size
        data = b"".join([window.ljust(block) for window in windows])
        length = len(data)
        data += bytes(_STEP)
        return [
            array(_NUMBER[self.size], data[at : at + length])[::2]  # a block is two numbers
            for at in range(_STEP)
        ]

    def _share(self, number: int, pieces: list[int]) -> None:
        """File a string under pieces that others have too: where many have one, under others."""
        more = self.more
        if max(map(len, map(more.get, pieces, repeat(())))) >= _CROWDED:
            # What it is filed under already does no harm there.
            raw = self.raws[number]
            last = len(raw) - self.reach
            tries = (last // 2, 0, last, last // 4, last // 3, 2 * last // 3, 3 * last // 4)
            choices = {at: self._cut(raw, at) for at in tries}
            at = self.elsewhere[number] = min(choices, key=lambda at: self._taken(choices[at]))
            pieces = choices[at]
        for piece in pieces:
            first = self.numbers.setdefault(piece, number)
            if first != number:
                others = more.get(piece) or (first,)
                if others[-1] != number:
                    more[piece] = (*others, number)

    def _cut(self, raw: bytes, at: int) -> list[int]:
        size = self.size
        return [int.from_bytes(raw[i : i + size], sys.byteorder) for i in range(at, at + _STEP)]

    def _taken(self, pieces: list[int]) -> int:
        return sum(len(self.more.get(piece, "1")) for piece in pieces if piece in self.numbers)

    def find(self, text: str, data: bytes, spans: list[Span], most: int) -> list[Span]:
        """Add the spans of the strings; return where one should be of which a piece was seen only.

        More than ``most`` partial characters on either side are not taken in.
        """
        broken: list[Span] = []
        seen = self._seen(data)
        if not seen:
            return broken
        character = _characters(text, data)
        for at in seen:
            piece, found = data[at : at + self.size], False
            missed: list[Span] = []
            for number, start in self._starts(piece, at):
                raw = self.raws[number]
                span = character(start), character(start + len(raw))
                if start < 0 or not data.startswith(raw, start):
                    missed.append(span)
                    continue
                found = True
                if number not in self.whole or at_boundary(text, *span):
                    _, before, after = self.forms[number]
                    taken = (before if before <= most else 0, after if after <= most else 0)
                    spans.append(_extend(text, *span, *taken))
            if not found:
                broken += missed
        return broken

    def _seen(self, data: bytes) -> list[int]:
        """Return where pieces of strings stand in the bytes of a text."""
        size, known = self.size, self.numbers.keys()
        places: list[int] = []
        if not known or len(data) < self.reach:
            return places
        for shift in range(0, size, _STEP):
            row = array(_NUMBER[size], data[shift : len(data) - (len(data) - shift) % size])
            both = known & row
            if len(both) > _RARE:
                places += [at * size + shift for at, piece in enumerate(row) if piece in both]
                continue
            for piece in both:
                sought = piece.to_bytes(size, sys.byteorder)
                at = data.find(sought, shift)
                while at >= 0:
                    if (at - shift) % size == 0:
                        places.append(at)
                    at = data.find(sought, at + 1)
        return places

    def _starts(self, piece: bytes, at: int) -> Iterator[tuple[int, int]]:
        """Yield the numbers of the strings that have a piece, and where each would begin."""
        key = int.from_bytes(piece, sys.byteorder)
        for number in self.more.get(key) or (self.numbers[key],):
            raw = self.raws[number]
            first = self.elsewhere.get(number, self._middle(raw))
            end = first + self.reach
            place = raw.find(piece, first, end)
            while place >= 0:
                yield number, at - place
                place = raw.find(piece, place + 1, end)


class Index:
    """A set of strings to find."""

    def __init__(self) -> None:
        self._long, self._short = _Tier(_LONG), _Tier(_SHORT)
        self._words: dict[str, tuple[int, int, bool]] = {}

    def __bool__(self) -> bool:
        return bool(self._words or self._short.forms or self._long.forms)

    def add(self, forms: Iterable[Form], *, whole: bool = False) -> None:
        """Add strings; with ``whole`` they count only where they are no part of a longer word."""
        # Of one value several forms may be the same; of two values hardly any.
        added = list(dict.fromkeys(forms))
        texts = [form[0] for form in added]
        raws = list(map(_encode, texts))
        if min(map(len, texts), default=0) >= _LONGER:
            self._long.add(added, raws, whole=whole)
            return
        long: list[tuple[Form, bytes]] = []
        short: list[tuple[Form, bytes]] = []
        for form, raw in zip(added, raws, strict=True):
            text, before, after = form
            if len(text) >= _SHORTER:
                (long if len(raw) >= _LONGER else short).append((form, raw))
            elif not (whole and text in self._words):
                self._words[text] = (before, after, whole)
        for tier, pairs in ((self._long, long), (self._short, short)):
            if pairs:
                tier.add([form for form, _ in pairs], [raw for _, raw in pairs], whole=whole)

    def find(self, text: str, *, words: bool = True) -> tuple[list[Span], list[Span]]:
        """Return the spans of every known string, in no order, possibly overlapping.

        Without ``words`` the text may be one whose lines were joined: short strings are not looked
        for, and what is next to a piece of a key may belong to another line.

        The second result is where a part of a long string was seen without the rest of it: it may
        be broken by a line or an escape.
        """
        spans: list[Span] = []
        most = _PIECE if words else 2
        data = _encode(text)
        broken = self._long.find(text, data, spans, most)
        self._short.find(text, data, spans, most)
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

"""Finds thousands of known strings in one pass, in plain Python.

A string of 15 or more characters is filed under 8 overlapping pieces of 8 characters. A text is then
looked at only at every 8th position: wherever the string stands, one of its 8 pieces lies there.
That is an eighth of the look-ups of a sliding window, whatever the number of strings. Strings of 7
to 14 characters are filed under 4 pieces of 4 in the same way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

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
        self.forms: list[_Form] = []
        # A piece's code tells its string and where in it the piece stands.
        self.codes: dict[str, int] = {}
        self.more: dict[str, list[int]] = {}

    def add(self, forms: list[_Form]) -> None:
        """File strings, each under as many neighbouring pieces as a piece is long."""
        size, codes = self.size, self.codes
        taken = codes.keys()
        for form in forms:
            text = form[0]
            # The middle is where a value differs from its like.
            at = (len(text) - 2 * size + 1) // 2
            pieces = [text[i : i + size] for i in range(at, at + size)]
            if not taken.isdisjoint(pieces):
                self._add_crowded(form)
                continue
            code = (len(self.forms) << 24) + at
            self.forms.append(form)
            before = len(codes)
            codes.update(zip(pieces, range(code, code + size)))  # noqa: B905 -- of one length
            if len(codes) != before + size:
                # It repeats itself: a piece of it stands in several places.
                for number, piece in enumerate(pieces, code):
                    if codes[piece] != number:
                        self.more.setdefault(piece, [codes[piece]]).append(number)

    def _add_crowded(self, form: _Form) -> None:
        """File a string some of whose pieces are taken."""
        text, size = form[0], self.size
        last = len(text) - 2 * size + 1
        at = last // 2
        pieces = [text[i : i + size] for i in range(at, at + size)]
        if any(len(self.more.get(piece, ())) >= _CROWDED for piece in pieces):
            tries = {at, 0, last, last // 4, last // 3, 2 * last // 3, 3 * last // 4}
            at = min(tries, key=lambda start: self._taken(text, start))
            pieces = [text[i : i + size] for i in range(at, at + size)]
        base = len(self.forms) << 24
        self.forms.append(form)
        for offset, piece in enumerate(pieces, at):
            first = self.codes.setdefault(piece, base + offset)
            if first != base + offset:
                self.more.setdefault(piece, [first]).append(base + offset)

    def _taken(self, text: str, start: int) -> int:
        pieces = [text[i : i + self.size] for i in range(start, start + self.size)]
        return sum(len(self.more.get(piece, "1")) for piece in pieces if piece in self.codes)

    def find(self, text: str, spans: list[Span], most: int) -> list[Span]:
        """Add the spans of the strings; return where one should be of which a piece was seen only.

        More than ``most`` partial characters on either side are not taken in.
        """
        size, codes = self.size, self.codes
        broken: list[Span] = []
        if not codes or len(text) < 2 * size - 1:
            return broken
        for at in [i for i in range(0, len(text), size) if text[i : i + size] in codes]:
            piece, found = text[at : at + size], False
            missed: list[Span] = []
            for code in self.more.get(piece) or (codes[piece],):
                form, before, after, whole = self.forms[code >> 24]
                start = at - (code & 0xFFFFFF)
                if start >= 0 and text.startswith(form, start):
                    found = True
                    end = start + len(form)
                    if not whole or at_boundary(text, start, end):
                        spans.append(
                            _extend(
                                text,
                                start,
                                end,
                                before if before <= most else 0,
                                after if after <= most else 0,
                            )
                        )
                else:
                    missed.append((start, start + len(form)))
            if not found:
                broken.extend(missed)
        return broken


class Index:
    """A set of strings to find."""

    def __init__(self) -> None:
        self._long, self._short = _Tier(_LONG), _Tier(_SHORT)
        self._words: dict[str, tuple[int, int, bool]] = {}
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, forms: Iterable[tuple[str, int, int]], *, whole: bool = False) -> None:
        """Add strings; with ``whole`` they count only where they are no part of a longer word."""
        tiers: tuple[list[_Form], list[_Form]] = ([], [])
        for form, before, after in forms:
            known = self._known.get(form)
            if known is not None and (whole or not known):
                continue
            self._known[form] = whole
            if len(form) < _SHORTER:
                self._words[form] = (before, after, whole)
            else:
                tiers[len(form) >= _LONGER].append((form, before, after, whole))
        for tier, added in zip((self._short, self._long), tiers, strict=True):
            if added:
                tier.add(added)

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
        if len(lines) < 2 or not (self._long.codes or self._short.codes):
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

"""Secrets in dumps of bytes: what hexdump, xxd and od write, row by row, in hex, octal, decimal, as characters.

A run of rows is read back into the text it shows; where a secret stands there, its cells are
masked, and its characters in the column at the right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from .lazy import Lazy
from .spans import Span
from .views import unescaped

# What may stand before a row: blanks, a quote, `service-1  | `, a time, the head of a journal's line.
_STAMP = (
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)? "
    r"|[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S{1,60} \S{1,60}: )?"
)
_LEAD = (
    rf"[ \t]{{0,24}}(?:[\"'\[{{(][ \t]{{0,8}})?(?:[\w.-]{{1,60}} {{1,40}}\| ?)?{_STAMP}[ \t]{{0,8}}"
)
_OFFSET = r"(?:0x)?[0-9a-fA-F]{4,16}:?(?=[ \t])"
# Rows without an offset need more cells to be taken for some.
_BARE = (
    rf"(?:[ \t]{{0,24}}[\"'])?(?:[\w.-]{{1,60}} {{1,40}}\| )?{_STAMP}"
    r"(?:(?=(?:    |   \S|  \\.| [0-7]{3}|  [a-z]{2}){4})"
    r"|[ \t]{0,8}\[?(?=(?:(?:0x)?[0-9a-fA-F]{2},? ?){4}|(?:[0-9a-fA-F]{4} ){2}|(?:\d{1,3}, ?){4}"
    r"|(?:[0-7]{3} ){4})|(?=(?: {1,3}\d{1,3}){4}|(?: {1,5}\d{1,5}){2}))"
)
_ROW = Lazy(rf"{_LEAD}{_OFFSET}|{_BARE}")
# The cheap first look: how an unprefixed row begins, and the offset of the first row of a dump.
_LINE = re.compile(r"\n[ \t0-9a-fA-F]{2}[ 0-9a-fA-Fx](?:[ \t0x]|[0-9a-fA-F]{4}|(?<=   )\S)")
_REPEATED = Lazy(rf"{_LEAD}\*[\"',]{{0,2}}[ \t]*\r?(?:\n|\Z)")
_FIRST = ("0000000", "0x0000")
_CELL = Lazy(r"(?:0x)?([0-9a-fA-F]{1,16})(?=[ \t,|>\"'\])}:\\]|\Z)")
_GAP = Lazy(r",?[ \t]{0,12}")
_GUTTER = Lazy(r"[ \t]{1,80}([|>]?)")
_NAMES = (
    "nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub"
    " esc fs gs rs us sp"
).split()
_CHARACTERS = Lazy(
    rf"(?:   [!-~]|    |  \\[0abfnrtv]| [0-7]{{3}}|(?: {{2}}|  ?)(?:{'|'.join(_NAMES)}|del))+"
)
_CHARACTER = re.compile(r" {0,3}(\S{1,3})|    ")
_ESCAPED = {"0": 0, "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_FEWEST = 4

_COLUMNS = Lazy(r"(?: {1,5}\d{1,5})+(?=[ \t\r\"',]*\Z)")
_NUMBER = Lazy(r"\d+")

Group = tuple[str, int, int]  # digits, and where they stand
Cell = tuple[int, int, int]  # the byte, and where it stands
Search = Callable[[str], list[Span]]


@dataclass
class _Row:
    """A row: its cells in each way to read it, and the characters beside them."""

    readings: dict[str, list[Cell]]
    beside: Span


def may_begin(heads: set[str]) -> bool:
    """Tell from the beginnings of a text's words whether it may hold the first offset of a dump."""
    return "000" in heads or "0x0" in heads


def find_dumps(text: str, search: Search, *, offsets: bool) -> Iterator[Span]:
    """Yield the spans of secrets in dumps; ``search`` gives those of a text that was read back.

    With ``offsets`` the first row of one is looked for behind anything, else at the beginning of
    a line alone.
    """
    begins = _begins(text, offsets=offsets)
    if begins:
        yield from _find(text, begins, search)
    escaped = "\\" in text and (offsets or "\\n" in text)
    if escaped and _begins(text.replace("\\n", "\n"), offsets=offsets):
        view = unescaped(text)
        begins = _begins(view.text, offsets=offsets)
        yield from (view.back(span) for span in _find(view.text, begins, search))


def _find(text: str, begins: list[int], search: Search) -> Iterator[Span]:
    done = -1
    for begin in begins:
        if begin <= done:
            continue
        run, end = _run(text, begin)
        if run:
            done = end
            yield from _search(text, run, search)


def _begins(text: str, *, offsets: bool) -> list[int]:
    """Return where a row of a dump may begin."""
    # Behind a name or a time, the first row may be one too.
    led = "| " in text[:64] or text[4:5] == "-"
    found = [0] if _LINE.match("\n" + text[:16]) or (led and _ROW.match(text)) else []
    found += [match.start() + 1 for match in _LINE.finditer(text)]
    for first in _FIRST if offsets else ():
        at = text.find(first)
        while at >= 0:
            # What stands before it on the line does not matter.
            found.append(at)
            at = text.find(first, at + 16)
    return sorted(found)


def _run(text: str, at: int) -> tuple[list[_Row], int]:
    """Return the rows that follow each other from ``at`` on, and where they end."""
    run: list[_Row] = []
    end = at
    while match := _ROW.match(text, at):
        stop = text.find("\n", match.end(), match.end() + 400)
        stop = min(len(text), match.end() + 400) if stop < 0 else stop
        row = _read(text, match.end(), stop)
        if row is None:
            break
        run.append(row)
        end, at = stop, stop + 1
        if repeated := _REPEATED.match(text, at):
            at = repeated.end()
    return run, end


def _read(text: str, at: int, stop: int) -> _Row | None:
    """Return the row whose cells begin at ``at``, or None where there are none."""
    columns = dict(_columns(text, at, stop))
    if columns:
        return _Row(columns, (0, 0))
    found, end = _groups(text, at, stop)
    readings = dict(_readings(found)) if found else {}
    return _Row(readings, _beside(text, end, stop)) if readings else None


def _columns(text: str, at: int, stop: int) -> Iterator[tuple[str, list[Cell]]]:
    """Yield the ways to read cells of one width: characters, or decimal numbers set to the right."""
    characters = _CHARACTERS.match(text, at, stop)
    if characters and (characters.end() == stop or text[characters.end()] in "\r\"'"):
        yield "characters", list(_as_characters(text, *characters.span()))
    if columns := _COLUMNS.match(text, at, stop):
        found = [(each.group(), *each.span()) for each in _NUMBER.finditer(text, *columns.span())]
        edges = [at, *(last for _, _, last in found)]
        steps = {after - before for before, after in pairwise(edges[len(found) > 1 :])}
        if steps == {4} and all(int(token) < 256 for token, _, _ in found):
            yield "decimal", [(int(token), first, last) for token, first, last in found]
        elif steps in ({6}, {8}) and all(int(token) < 65536 for token, _, _ in found):
            yield "decimal words", list(_words(found, 10))


def _groups(text: str, at: int, stop: int) -> tuple[list[Group], int]:
    """Return the groups of digits from ``at`` on, and where they end."""
    found: list[Group] = []
    end, step = at, -1
    while True:
        gap = _GAP.match(text, end, stop)
        begin = gap.end() if gap else end
        cell = _CELL.match(text, begin, stop)
        if not cell or (found and (begin == end or len(cell.group(1)) > len(found[0][0]))):
            return found, end
        if len(found) == 1:
            step = begin - end
        # Behind the eighth byte the gap is wider; elsewhere a wider one ends the cells.
        if len(found) > 1 and begin - end > step + (len(found) == 8):
            return found, end
        found.append((cell.group(1), *cell.span(1)))
        end = cell.end()


def _beside(text: str, at: int, stop: int) -> Span:
    """Return the span of the column of characters at the right."""
    match = _GUTTER.match(text, at, stop)
    if not match:
        return (0, 0)
    return match.end(), stop


def _readings(found: list[Group]) -> Iterator[tuple[str, list[Cell]]]:
    """Yield each way to read cells: the way's name and the bytes with their places."""
    width = len(found[0][0])
    even = all(len(token) == width for token, _, _ in found[:-1])
    tokens = [token for token, _, _ in found]
    if even and width in (2, 4, 8, 16):
        big = [cell for each in found for cell in _pairs(*each)]
        yield "big", big
        if width > 2:
            yield "little", [cell for each in found for cell in _pairs(*each)[::-1]]
    if even and width == 8 and all(set(token) <= {"0", "1"} for token in tokens):
        yield "binary", [(int(token, 2), first, last) for token, first, last in found]
    if even and width == 3 and all(set(token) <= set("01234567") for token in tokens):
        yield "octal", [(int(token, 8) & 255, first, last) for token, first, last in found]
    if even and width == 6 and all(set(token) <= set("01234567") for token in tokens):
        yield "octal words", list(_words(found, 8))
    if all(token.isdigit() and len(token) <= 3 and int(token) < 256 for token in tokens):
        yield "decimal", [(int(token), first, last) for token, first, last in found]


def _pairs(token: str, first: int, _last: int) -> list[Cell]:
    """Return the bytes of a group of hexadecimal digits, in the order they are written."""
    return [
        (int(token[at : at + 2], 16), first + at, first + at + 2)
        for at in range(0, len(token) - 1, 2)
    ]


def _words(found: list[Group], base: int) -> Iterator[Cell]:
    """Yield the bytes of words of 16 bits, as a machine with the low byte first has them."""
    for token, first, last in found:
        number = int(token, base)
        yield number & 255, first, last
        yield number >> 8 & 255, first, last


def _as_characters(text: str, at: int, stop: int) -> Iterator[Cell]:
    """Yield the bytes of a row of characters, 4 columns each."""
    while at < stop:
        cell = text[at : at + 4]
        token = cell.strip()
        if not token:
            yield 32, at, at + 4
        elif len(token) == 1:
            yield ord(token) & 255, at + 3, at + 4
        elif token[0] == "\\":
            yield _ESCAPED[token[1]], at + 2, at + 4
        elif token.isdigit():
            yield int(token, 8) & 255, at + 1, at + 4
        else:
            yield _NAMES.index(token) if token in _NAMES else 127, at + 1, at + 4
        at += 4


def _search(text: str, run: list[_Row], search: Search) -> Iterator[Span]:
    """Yield the spans of secrets in a run of rows, in each way that all its rows can be read."""
    for way in run[0].readings if run else ():
        rows = [row for row in run if way in row.readings]
        if len(rows) < len(run):
            continue
        cells = [(number, *cell) for number, row in enumerate(rows) for cell in row.readings[way]]
        if len(cells) < _FEWEST:
            continue
        for start, end in search("".join(chr(cell[1]) for cell in cells)):
            yield from _hide(text, rows, way, cells, start, end)


def _hide(
    text: str,
    rows: list[_Row],
    way: str,
    cells: list[tuple[int, int, int, int]],
    start: int,
    end: int,
) -> Iterator[Span]:
    """Yield for each row the span of the cells from ``start`` to ``end`` and of what is beside."""
    base = 0
    for row in rows:
        count = len(row.readings[way])
        inside = cells[max(start, base) : min(end, base + count)]
        if inside and start < base + count and end > base:
            yield min(each[2] for each in inside), max(each[3] for each in inside)
            first, last = row.beside
            if "\\" in text[first:last]:
                yield first, last
            elif last - first >= count:
                begin = first + max(start, base) - base
                yield begin, first + min(end, base + count) - base
        base += count

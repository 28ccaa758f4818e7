"""Private keys in PEM that a plain look for the block misses: in base64, or behind what a log adds."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from .lazy import Lazy
from .spans import Span
from .views import JOINT

_MARK = "LS0tLS1CRUdJTi"  # -----BEGIN in base64
_RUN = Lazy(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_TOKEN = Lazy(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/])")
_MOST_LINES = 400
_MOST_OTHERS = 4
_LONGEST_LEAD = 200


def find_encoded(text: str, spans: list[Span]) -> None:
    """Add the spans of private keys whose whole block was encoded in base64, also when wrapped."""
    at = text.find(_MARK)
    while at >= 0:
        pieces = list(_pieces(text, at))
        if pieces and "PRIVATE KEY" in _decoded(text[slice(*pieces[0])])[:64]:
            spans.extend(pieces)
        at = text.find(_MARK, pieces[-1][1] if pieces else at + len(_MARK))


def _pieces(text: str, at: int) -> Iterator[Span]:
    """Yield the run at ``at`` and, while the block has no end, those of the lines that follow."""
    whole, width = "", 0
    match = _RUN.match(text, at)
    for _ in range(_MOST_LINES):
        if not match:
            return
        width = width or len(match.group())
        if len(match.group()) > width:
            return
        yield match.span()
        whole += match.group()
        if "-----END" in _decoded(whole[-120 - len(whole) % 4 :]) or match.group().endswith("="):
            return
        gap = JOINT.match(text, match.end())
        match = _RUN.match(text, gap.end()) if gap else None


def _decoded(run: str) -> str:
    plain = run.rstrip("=")
    plain = plain[: len(plain) // 4 * 4]
    try:
        return base64.b64decode(
            plain, altchars=b"-_" if "-" in plain or "_" in plain else None
        ).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def lines_behind(text: str, begin: int, end: int) -> Iterator[Span]:
    """Yield the lines of a key's body where each stands behind a time, a level or a name.

    ``begin`` and ``end`` are those of the BEGIN line; what stands before it on its line tells where
    to look on the next ones.
    """
    start = text.rfind("\n", max(0, begin - _LONGEST_LEAD), begin) + 1
    column = begin - start
    at = text.find("\n", end, end + _LONGEST_LEAD) + 1
    before = text[start:begin]
    if not at or column > _LONGEST_LEAD or "-----" in before:
        return
    lead = re.compile("".join(r"\d" if char.isdigit() else re.escape(char) for char in before))
    others = 0
    for _ in range(_MOST_LINES):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        if at >= len(text) or others > _MOST_OTHERS or "-----" in text[at:stop]:
            return
        found = _on_line(text, at, stop, lead, column)
        others = 0 if found else others + 1
        if found:
            yield found
        at = stop + 1


def _on_line(text: str, at: int, stop: int, lead: re.Pattern[str], column: int) -> Span | None:
    same = lead.match(text, at, stop)
    token = _RUN.match(text, same.end(), stop) if same else None
    if token and (len(token.group()) >= 16 or text.startswith("-----END", stop + 1 + column)):
        return token.span()
    for other in _TOKEN.finditer(text, at, stop):
        if abs(other.start() - at - column) <= 4:
            return other.span()
    return None

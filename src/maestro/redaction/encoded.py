"""Commands in base64 of UTF-16, as PowerShell takes them, wherever they stand: in a log, in an event."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from .lazy import Lazy
from .spans import Span

# Three bytes `x 0 y` and three bytes `0 z 0` in base64, where x, y and z are ASCII.
_ODD, _EVEN = "[A-Za-f][AQgw][AB][A-Za-z0-9+/]", "A[A-H][AEIMQUYcgkosw048]A"
_RUN = Lazy(rf"(?<![A-Za-z0-9+/])(?:{_ODD}{_EVEN}){{4,}}[A-Za-z0-9+/]*={{0,2}}")
_MARK = Lazy(_EVEN + _ODD)  # begins with a letter: found faster than a run
_LONGEST = 20_000  # characters; a longer command is not read to its end


def find_encoded_commands(
    text: str, spans: list[Span], find: Callable[[str, list[Span]], object]
) -> None:
    """Add the spans of such commands in which ``find`` finds a secret."""
    # A small letter of ASCII at an odd place, which is in every command.
    if "AG" not in text and "AH" not in text:
        return
    end = 4
    for mark in _MARK.finditer(text):
        match = _RUN.match(text, mark.start() - 4) if mark.start() >= end else None
        if not match:
            continue
        end, run = match.end(), match.group()[:_LONGEST].rstrip("=")
        found: list[Span] = []
        try:
            plain = base64.b64decode(run[: len(run) // 8 * 8] + _rest(run))
            find(plain[: len(plain) // 2 * 2].decode("utf-16-le"), found)
        except (binascii.Error, ValueError):
            continue
        if found:
            spans.append(match.span())


def _rest(run: str) -> str:
    """The last characters of a run, with padding."""
    rest = run[len(run) // 8 * 8 :]
    return rest[: len(rest) // 4 * 4] if len(rest) % 4 == 1 else rest + "=" * (-len(rest) % 4)

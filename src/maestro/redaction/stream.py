"""Redacts a text piece by piece, with the same result as in one go, in bounded memory.

Both ways run through `Windows`: it takes as much text as a window holds, however it arrived, looks
at it together with what went before, and lets go of what nothing that comes later can change.
Where a window ends depends on the text alone, never on how it was cut into chunks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from .spans import Span, merge

BODY = 64 * 1024  # characters that a window gives back
AHEAD = 16 * 1024  # characters it looks beyond them
BEHIND = 2 * 1024  # characters it looks back to, for a key before its value

_REST = re.compile(r"[^\s\"'<>&,;]*")

Finder = Callable[[str], list[Span]]
Replacer = Callable[[str], str]


class Windows:
    """Feeds a text through a finder of spans."""

    def __init__(self, find: Finder, mask: Replacer, ahead: int = AHEAD) -> None:
        self._find = find
        self._mask = mask
        self._ahead = max(AHEAD, ahead)
        self._body = max(BODY, 2 * self._ahead)
        self._behind = ""
        self._buffer: list[str] = []
        self._size = 0
        self._inside = False

    def feed(self, text: str) -> Iterator[str]:
        """Take more text; yield what is certain."""
        self._buffer.append(text)
        self._size += len(text)
        window = self._body + self._ahead
        if self._size < window:
            return
        whole = "".join(self._buffer)
        at = 0
        while len(whole) - at >= window:
            redacted, used = self._window(whole[at : at + window], last=False)
            at += used
            yield redacted
        self._buffer = [whole[at:]]
        self._size = len(whole) - at

    def finish(self) -> str:
        """Return the rest."""
        rest, self._buffer, self._size = "".join(self._buffer), [], 0
        return self._window(rest, last=True)[0] if rest else ""

    def lines(self) -> str:
        """Return all complete lines that are waiting, for a reader who does not want to wait."""
        rest = "".join(self._buffer)
        cut = rest.rfind("\n") + 1
        self._buffer, self._size = [rest[cut:]], len(rest) - cut
        return self._window(rest[:cut], last=True)[0] if cut else ""

    def _window(self, text: str, *, last: bool) -> tuple[str, int]:
        """Return the redacted text of a window and how much of the window it stands for."""
        first = 0
        if self._inside:
            # The secret that filled the last window goes on.
            match = _REST.match(text)
            first = match.end() if match else 0
            self._inside = first == len(text) and not last
        seen = len(self._behind)
        spans = merge((start - seen, end - seen) for start, end in self._find(self._behind + text))
        spans = [(max(start, first), end) for start, end in spans if end > first]
        cut = len(text) if last else max(self._cut(text, spans), first)
        parts: list[str] = []
        at = first
        for start, end in spans:
            if start >= cut:
                break
            parts.append(text[at:start])
            parts.append(self._mask(text[start:end]))
            at = end
        parts.append(text[at:cut])
        self._behind = (self._behind + text[:cut])[-BEHIND:]
        return "".join(parts), cut

    def _cut(self, text: str, spans: list[Span]) -> int:
        """Return where a full window ends: at a line break where there is one, never inside a span."""
        cut = text.rfind("\n", self._body // 2, self._body) + 1
        if not cut:
            space = text.rfind(" ", self._body - 1024, self._body) + 1
            cut = space or self._body
        for start, end in spans:
            if start < cut < end:
                if end >= len(text):
                    self._inside = True
                return end
        return cut


def redact_text(text: str, find: Finder, mask: Replacer, ahead: int = AHEAD) -> str:
    """Return the whole text redacted."""
    windows = Windows(find, mask, ahead)
    parts = list(windows.feed(text))
    parts.append(windows.finish())
    return "".join(parts)


class Stream:
    """Redacts bytes: UTF-8, and what is no UTF-8 passes as it is."""

    def __init__(self, windows: Iterable[Windows]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._stages = list(windows)

    def feed(self, chunk: bytes) -> bytes:
        """Take more bytes; return what is certain."""
        return self._through(self._decoder.decode(chunk))

    def lines(self) -> bytes:
        """Return all complete lines that are waiting."""
        text = ""
        for stage in self._stages:
            text = "".join(stage.feed(text)) + stage.lines()
        return _encode(text)

    def finish(self) -> bytes:
        """Return the rest."""
        text = self._decoder.decode(b"", final=True)
        for stage in self._stages:
            text = "".join(stage.feed(text)) + stage.finish()
        return _encode(text)

    def _through(self, text: str) -> bytes:
        for stage in self._stages:
            text = "".join(stage.feed(text))
        return _encode(text)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def run(stream: Stream, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the redacted bytes of a stream of chunks."""
    for chunk in chunks:
        done = stream.feed(bytes(chunk))
        if done:
            yield done
    rest = stream.finish()
    if rest:
        yield rest

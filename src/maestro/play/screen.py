"""The screen of a run: whole lines, and at a terminal one line below them that moves.

Where nobody looks, as in CI, each line gets the time, and a long step says now and then what it
does. Text is cut to 80 columns, or to what ``COLUMNS`` says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping

USUAL = 80
TICK = 0.5  # seconds between two looks of the line that moves
BEAT = 15.0  # seconds between two lines about a long step where there is no terminal
_CLEAR = b"\r\x1b[2K"


def width() -> int:
    """Columns of a line."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"]) or USUAL
    return min(shutil.get_terminal_size((USUAL, 24)).columns, USUAL)


def wrapped(text: str, columns: int | None = None) -> str:
    """A text in lines of at most so many columns; an indented line goes on indented.

    A word is never cut: it may be a path, a digest or an address that somebody copies.
    """
    columns = columns or width()
    return "\n".join(line for each in text.splitlines() for line in _lines(each, columns))


def _lines(line: str, columns: int) -> list[str]:
    if len(line) <= columns:
        return [line]
    body = line.lstrip(" ")
    indent = len(line) - len(body)
    if body.startswith("-> "):
        indent += 3
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * min(indent + (0 if indent else 2), columns // 2),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    ) or [line]


def moving(environment: Mapping[str, str]) -> bool:
    """Whether somebody looks at a terminal."""
    return (
        sys.stdout.isatty()
        and environment.get("TERM", "dumb") != "dumb"
        and environment.get("CI", "").lower() in ("", "0", "false")
    )


class Screen:
    """Shows ``now``, what is being done at the moment, until it is closed.

    ``show`` prints whole lines. ``now`` is called from a thread of its own: it gives a text, and
    the seconds since it began.
    """

    def __init__(
        self,
        show: Callable[..., None],
        now: Callable[[], tuple[str, float]],
        hide: Callable[[str], str] = str,
    ) -> None:
        self.moves = moving(os.environ)
        self._show, self._now, self._hide = show, now, hide
        # A signal's handler shows something too, whatever it interrupts.
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn, self._shown = False, ""
        os.register_at_fork(after_in_child=self._forked)

    def line(self, text: str, color: str | None = None) -> None:
        """Print a text: at a terminal as it is, elsewhere with the time before its first line."""
        stamp = "" if self.moves else time.strftime("%H:%M:%S ")
        self._show(wrapped(f"{stamp}{text}"), color=color)
        # A pipe would hold it back until there is more.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()

    def text(self, text: str, color: str | None = None) -> None:
        """Print a text without the time."""
        self._show(wrapped(text), color=color)

    def raw(self, text: str, color: str | None = None) -> None:
        """Print a line that programs read, or that is copied, however long."""
        self._show(text, color=color)

    def begin(self) -> None:
        """Let the line move."""
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Take the line away; it does not come again."""
        self._ended.set()
        self.clear()

    def clear(self) -> None:
        """Make room for something else that is printed."""
        with self._lock:
            if self._drawn:
                _write(_CLEAR)
                self._drawn = False

    def _forked(self) -> None:
        self._lock, self._drawn = threading.RLock(), False
        self._ended = threading.Event()
        self._ended.set()

    def _run(self) -> None:
        said = 0.0
        while not self._ended.wait(TICK):
            text, seconds = self._now()
            if not text:
                said = 0.0
            elif self.moves:
                self._draw(f"{text} {seconds:.0f} s")
            elif seconds - said >= BEAT:
                said = seconds
                stamp = time.strftime("%H:%M:%S")
                _write(f"{stamp} ... {self._hide(text)} {seconds:.0f} s\n".encode())
            elif seconds < said:
                said = 0.0

    def _draw(self, text: str) -> None:
        columns = shutil.get_terminal_size((USUAL, 24)).columns - 1
        shown = self._hide(text)
        if len(shown) > columns:
            # The seconds at its end are what shows that it goes on.
            rest = shown[-12:]
            shown = f"{shown[: columns - len(rest) - 3]}...{rest}"
        with self._lock:
            if not self._ended.is_set() and (shown != self._shown or not self._drawn):
                self._shown = shown
                _write(_CLEAR + shown.encode("utf-8", "replace"))
                self._drawn = True


def _write(data: bytes) -> None:
    """Past all locks of Python's own files: a process may be forked at any time."""
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), data)
    except (OSError, ValueError):
        return

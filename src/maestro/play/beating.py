"""Say on a host that this run lives, from a small process beside the playbook."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from multiprocessing import parent_process
from pathlib import Path

from ansible.utils.display import Display

from ..host.lease import BEATS


def start(beat: Callable[[], bool], limit: float) -> None:
    """Call ``beat`` four times within ``limit`` seconds, in a process of its own.

    It ends with the playbook, and when ``beat`` says that the lease is lost (False).
    """
    playbook = parent_process()
    # One that was killed a moment ago has nobody left to beat for.
    if playbook is not None and playbook.pid is not None and playbook.pid == os.getppid():
        pid = playbook.pid
        _apart(lambda: _beat(beat, limit / BEATS, pid))


def _beat(beat: Callable[[], bool], pause: float, playbook: int) -> None:
    # What this process says would come between the lines of the play.
    Display().verbosity = 0
    ended = _end_of(playbook)
    while not ended(pause):
        if _suspended(playbook):
            continue
        with contextlib.suppress(Exception):
            if not beat():
                return


def _apart(work: Callable[[], None]) -> None:
    """Do ``work`` in a process of its own, without a terminal and without output."""
    if os.fork():
        return
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        work()
    finally:
        os._exit(0)


def _end_of(pid: int) -> Callable[[float], bool]:
    """A function that waits so many seconds and says whether the process has ended by then."""
    if not hasattr(os, "pidfd_open"):

        def gone(seconds: float) -> bool:
            time.sleep(seconds)
            try:
                os.kill(pid, 0)
            except OSError:
                return True
            return False

        return gone
    # Tells the end of a process that was killed and that nobody has waited for yet.
    watched = select.poll()
    watched.register(os.pidfd_open(pid), select.POLLIN)
    return lambda seconds: bool(watched.poll(seconds * 1000))


def _suspended(pid: int) -> bool:
    """Whether a process was stopped (Ctrl-Z): what stands still must not keep others out."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in "Tt"

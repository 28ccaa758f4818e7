"""Locks between the programs of this host that nobody but root can take, and that end in time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import MaestroError

POLL = 0.02  # seconds between two tries
DIRECTORY = 0o700
FILE = 0o600


class Busy(MaestroError):
    """Another program holds the lock."""


@contextlib.contextmanager
def held(path: Path, seconds: float, what: str) -> Iterator[None]:
    """Hold a lock; it dies with its process. `Busy` when another has it for so many seconds.

    Whoever may read a file may lock it, so the file and its directory are root's alone.
    ``what`` is what the lock is for, as an operator knows it.
    """
    path.parent.mkdir(mode=DIRECTORY, exist_ok=True)
    path.parent.chmod(DIRECTORY)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE)
    try:
        os.fchmod(descriptor, FILE)
        deadline = time.monotonic() + seconds
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise Busy(
                    f"another program has been changing {what} for {seconds:.0f} s",
                    where=str(path),
                    fix="`lslocks` on the host names it; when it does not end by itself, end it, "
                    "then run the command again",
                )
            time.sleep(POLL)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

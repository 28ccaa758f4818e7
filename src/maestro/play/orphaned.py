"""A worker of a playbook that was killed ends, with what it waits for.

Otherwise it would wait on, and a host would take its connection for a run that still lives.
prctl(2), PR_SET_PDEATHSIG: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from multiprocessing import parent_process
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def end_with_playbook() -> None:
    """Let this process and its children end as soon as the playbook has; on Linux alone."""
    playbook = parent_process()
    if playbook is None or playbook.pid != os.getppid():
        return
    with contextlib.suppress(AttributeError, OSError, ValueError):
        signal.signal(signal.SIGUSR2, _end)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2)


def _end(*_: object) -> None:
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
        for child in listed.split():
            with contextlib.suppress(OSError):
                os.kill(int(child), signal.SIGTERM)
    os._exit(1)

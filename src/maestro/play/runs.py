"""The runs of this user on this machine: which of them are dead.

A run that was killed, or interrupted with Ctrl-C, leaves its lease on the hosts. Others wait until
that expires. Who started it knows better: its process is gone, so the next run ends it at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ansible import constants

KEPT = 24 * 3600.0  # seconds; a lease expires long before
MOST = 50


class _Mine:
    """This run. Its workers are forks, and have the same."""

    def __init__(self) -> None:
        self.id = f"run-{secrets.token_hex(12)}"
        self.process = os.getpid()
        self.key = secrets.token_bytes(32)
        self.gone: list[str] | None = None


_mine = _Mine()


def begin() -> None:
    """Say that this process is the run, and not one of its workers."""
    global _mine  # noqa: PLW0603 -- once in a process
    _mine = _Mine()


def key() -> bytes:
    """A key that only this run has, and its workers."""
    return _mine.key


def announce() -> str:
    """Write down that this run may change hosts, and return its id; empty where it cannot be."""
    facts = {"pid": _mine.process, "started": _started(_mine.process)}
    try:
        directory = _directory()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / _mine.id
        path.write_text(json.dumps(facts), encoding="utf-8")
    except OSError:
        return ""
    return _mine.id


def look() -> None:
    """Look once which runs are dead: workers, of which each host has one, then know it."""
    _mine.gone = _gone()


def dead() -> list[str]:
    """The ids of runs whose process is gone, or was when this run `look`ed."""
    return list(_gone() if _mine.gone is None else _mine.gone)


def _gone() -> list[str]:
    return sorted(run for run, alive in _known() if not alive)


def _known() -> Iterator[tuple[str, bool]]:
    try:
        found = sorted(_directory().glob("run-*"), key=lambda path: path.stat().st_mtime)
    except OSError:
        return
    for path in found[-MOST:]:
        try:
            old = time.time() - path.stat().st_mtime > KEPT
            facts = json.loads(path.read_text(encoding="utf-8"))
            alive = _started(int(facts["pid"])) == str(facts["started"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if old and not alive:
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            yield path.name, alive


def _started(pid: int) -> str:
    """What is one process's own: a number is given to another one later, and after a boot.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: state is field 3, starttime 22.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        words = stat.rpartition(")")[2].split()
        return "" if words[0] in "ZX" else f"{boot}/{words[19]}"
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return ""
    try:  # macOS has no /proc
        os.kill(pid, 0)
    except PermissionError:
        return "alive"
    except OSError:
        return ""
    return "alive"


def _directory() -> Path:
    return Path(constants.ANSIBLE_HOME).expanduser() / "maestro-runs"

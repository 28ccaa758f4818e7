"""The dead man's switch: a host whose deploy has vanished puts the old release back by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..errors import MaestroError
from . import lease
from .layout import Layout

TIMER = "maestro-switch.timer"
HOST = "the host's own switch"


def set_up(layout: Layout) -> None:
    """Start the timer that looks at leases; `MaestroError` where there is none."""
    with _locked(layout.root):
        result = _systemctl("start", TIMER)
    if result.returncode != 0:
        raise MaestroError(
            f"the switch that puts an abandoned release back cannot be set: "
            f"{result.stderr.strip()}",
            fix="run playbooks/provision.yml for this host",
        )


def main(root: Path) -> int:
    """Look at every lease on this host once; the timer calls it every few seconds."""
    failed = False
    for path in sorted(root.glob("*/lease.json")):
        try:
            layout = Layout(root, path.parent.name)
            if serves := recover(layout, HOST):
                said = f"{layout.stack}: a change was left half-done; release {serves} serves"
                print(said, flush=True)  # noqa: T201 -- for the journal
        except (MaestroError, OSError) as problem:
            # The next look tries again.
            failed = True
            print(f"{path.parent.name}: {problem}", file=sys.stderr, flush=True)  # noqa: T201
    with _locked(root):
        if not any(root.glob("*/lease.json")):
            _systemctl("stop", TIMER)
    return int(failed)


def recover(layout: Layout, by: str) -> str:
    """End what an expired lease left: put the old release back, or finish what was committed.

    Returns the id of the release that serves, or an empty string when there was nothing to
    end. After a failure the lease is expired at once, so that the next look tries again.
    """
    found = lease.take_over(layout, by)
    if found is None:
        return ""
    serves = found.serves if found.armed else layout.current_id()
    if found.armed or serves:
        # Most looks find nothing to do, and are quick without these.
        from . import journal, release, roll  # noqa: PLC0415

        try:
            with lease.kept(layout, found.token) as check:
                roll.put_back(layout, found.release, found.timeout, serves, check)
                release.sweep(layout)
        except BaseException as problem:
            lease.abandon(layout, found.token)
            journal.note(layout, asdict(found), journal.FAILED, f"not put back: {problem}")
            raise
        if found.armed:
            journal.note(layout, asdict(found), journal.PUT_BACK)
    lease.release(layout, found.token)
    return serves


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- an argument list, no shell
        ["systemctl", "--no-block", *words],  # noqa: S607 -- the host's own
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """The timer is not stopped while somebody sets it up."""
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(root / ".switch.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

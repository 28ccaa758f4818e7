"""The dead man's switch: a host whose deploy has vanished puts the old release back by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
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
            recover(Layout(root, path.parent.name), HOST)
        except (MaestroError, OSError) as problem:
            # The lease is still armed: the next look tries again once it has expired.
            failed = True
            print(f"{path.parent.name}: {problem}", file=sys.stderr, flush=True)  # noqa: T201
    with _locked(root):
        if not any(root.glob("*/lease.json")):
            _systemctl("stop", TIMER)
    return int(failed)


def recover(layout: Layout, by: str) -> str:
    """End what an expired lease left: put the old release back if it was armed.

    Returns the id of the release that serves again, or an empty string when there was
    nothing to put back.
    """
    found = lease.take_over(layout, by)
    if found is None:
        return ""
    served = ""
    if found.armed:
        from . import roll  # noqa: PLC0415 -- most looks find nothing to do, and are quick without it

        with lease.kept(layout, found.token) as check:
            done = roll.put_back(layout, found.release, found.timeout, found.serves, check)
        served = str(done["serves"])
    lease.release(layout, found.token)
    return served


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

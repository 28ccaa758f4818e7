"""The dead man's switch: a host whose deploy has vanished puts the old release back by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets as random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..errors import MaestroError
from . import lease, recovery
from .layout import Layout

TIMER = "maestro-switch.timer"
HOST = lease.HOST


def set_up(layout: Layout) -> None:
    """Start the timer that looks at leases; `MaestroError` where there is none."""
    with _locked(layout.root):
        result = _systemctl("start", TIMER)
    if result.returncode != 0:
        raise MaestroError(
            f"the timer that rolls back an unfinished deploy cannot be set: "
            f"{result.stderr.strip()}",
            fix="run maestro.stacks.provision for this host",
        )


def main(root: Path) -> int:
    """Look at every lease on this host once; the timer calls it every few seconds."""
    failed = False
    recovering = [Layout(root, path.parent.name) for path in sorted(root.glob("*/recovery.json"))]
    for again, layout in [(False, item) for item in lease.held_in(root)] + [
        (True, item) for item in recovering
    ]:
        try:
            if serves := retry(layout) if again else recover(layout, HOST):
                said = "serves whole again" if again else "serves"
                print(f"{layout.stack}: release {serves} {said}", flush=True)  # noqa: T201
        except (MaestroError, OSError) as problem:
            # A later look tries again.
            failed = True
            print(f"{layout.stack}: {problem}", file=sys.stderr, flush=True)  # noqa: T201
    with _locked(root):
        if not lease.held_in(root) and not any(root.glob("*/recovery.json")):
            _systemctl("stop", TIMER)
    return int(failed)


def retry(layout: Layout) -> str:
    """Put back what is missing of a release, when the pause since the last try is over.

    Returns the id of the running release whole now. Nothing is done while anybody else
    changes the stack, and nothing more once another release serves.
    """
    found = recovery.read(layout)
    if found is None or not recovery.due(layout) or lease.read(layout) is not None:
        return ""
    if layout.current_id() != found.release:
        recovery.clear(layout)
        return ""
    claim = {
        "token": random.token_hex(8),
        "by": HOST,
        "purpose": f"putting release {found.release} back",
        "release": "",
        "serves": found.release,
        "limit": lease.LIMIT,
        "timeout": found.timeout,
        "armed": False,
        "yields": True,
    }
    from . import journal  # noqa: PLC0415

    taken = lease.acquire(layout, claim)
    try:
        _put_back(layout, taken, found.release)
        journal.note(layout, asdict(taken), journal.PUT_BACK, "serves whole again")
    finally:
        lease.release(layout, taken.token)
    return found.release


def _put_back(layout: Layout, held: lease.Lease, serves: str) -> None:
    """Put a release back under a lease; a try that fails is noted."""
    from . import release  # noqa: PLC0415
    from .put_back import put_back  # noqa: PLC0415

    try:
        with lease.kept(layout, held.token) as check:
            put_back(layout, held.release, held.timeout, serves, check)
            release.sweep(layout)
    except lease.Lost:
        raise
    except recovery.Incomplete as problem:
        noted = recovery.note(layout, serves, held.timeout, problem.problems)
        problem.fix += f"; the next try is in {noted.next - time.time():.0f} s"
        raise
    except MaestroError as problem:
        recovery.note(layout, serves, held.timeout, {"": str(problem)})
        raise


def recover(layout: Layout, by: str) -> str:
    """End what an expired lease left: put the old release back, or finish what was committed.

    Returns the id of the running release, or an empty string when there was nothing to
    end. After a failure the lease is expired at once, so that a later look tries again; where a
    part of the release serves, the lease ends, and `retry` goes on with the rest.
    """
    if by == HOST and not recovery.due(layout):
        return ""
    found = lease.take_over(layout, by)
    if found is None:
        return ""
    serves = found.serves if found.armed else layout.current_id()
    if found.armed or serves:
        # Most looks find nothing to do, and are quick without this.
        from . import journal  # noqa: PLC0415

        try:
            _put_back(layout, found, serves)
        except BaseException as problem:
            journal.note(layout, asdict(found), journal.FAILED, f"not put back: {problem}")
            if isinstance(problem, recovery.Incomplete):
                lease.release(layout, found.token)
                if by != HOST:
                    return serves
                raise
            lease.abandon(layout, found.token)
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

"""Who may change a stack on this host, for how long, and what happens when they vanish.

One deploy per stack and host holds the lease. It beats while it lives; a lease that has not
beaten for its limit is nobody's any more. While a release is on its way the lease is armed:
the host then puts the old release back by itself when the lease expires, see `switch`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import room
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import LeaseFacts

LIMIT = 60.0  # seconds without a beat after which a lease has expired
BEATS = 4  # beats within a limit
HOST = "the host's own switch"
_NAMES = ("lease.json", "change.json")
POLL = 0.5  # seconds between two looks at a lease that is waited for


@dataclass(frozen=True)
class Lease:
    """Its file; ``acquired`` is in seconds since 1970, ``limit`` and ``timeout`` in seconds.

    ``acquired`` is when the change began, also for who takes it over.

    ``release`` is the staged release, ``serves`` the one that served before; each may be
    empty. While ``armed``, an expired lease means that ``serves`` has to be put back, with
    ``timeout`` for its services. ``approved_by`` and ``plan`` (its hash) are for the record of
    what happened. One that ``yields`` is lost to whoever wants it: what it is held for can be
    done later. ``run`` is the run of the controller that took it. ``beat`` is the file's own time
    of change, so that a beat needs no room on the disk.
    """

    token: str
    by: str
    purpose: str
    release: str
    serves: str
    acquired: float
    limit: float
    timeout: float
    armed: bool
    approved_by: str = ""
    plan: str = ""
    beat: float = 0
    yields: bool = False
    run: str = ""

    @property
    def age(self) -> float:
        """Seconds since the owner was last heard of; a clock that was set back counts too."""
        return abs(time.time() - self.beat)

    @property
    def held(self) -> bool:
        """Whether the owner still counts as alive."""
        return self.age <= self.limit

    @property
    def given_up(self) -> bool:
        """Whether it was let expire, because its run is known to be dead."""
        return self.beat <= 0

    @property
    def exclusive(self) -> bool:
        """Whether the owner keeps everybody else out: alive, and not one that makes way."""
        return self.held and not self.yields

    def owner(self) -> str:
        """The owner as an operator knows it."""
        since = time.strftime("%H:%M:%S UTC", time.gmtime(self.acquired))
        heard = "given up" if self.given_up else f"renewed {self.age:.0f} s ago"
        return f"{self.by} ({self.purpose}, since {since}, {heard})"


_KEYS = frozenset(item.name for item in fields(Lease)) - {"beat"}


class Lost(MaestroError):
    """The lease is no longer the caller's: somebody else changes the stack now."""


def read(layout: Layout) -> Lease | None:
    """The stack's lease, held or expired; None when there is none.

    A damaged file stands for an owner nobody knows: it expires as any other, and what serves
    is then brought in order.
    """
    path = _file(layout)
    try:
        beat = path.stat().st_mtime
        found = json.loads(path.read_text(encoding="utf-8"))
        # A newer program may have written more.
        return Lease(**{key: found[key] for key in found if key in _KEYS}, beat=beat)
    except OSError:
        return None
    except (ValueError, TypeError):
        return Lease(
            token="",
            by=f"an unknown owner: {path} is damaged",
            purpose="unknown",
            release="",
            serves="",
            acquired=beat,
            limit=LIMIT,
            timeout=LIMIT,
            armed=False,
            beat=beat,
        )


def describe(layout: Layout) -> LeaseFacts:
    """The lease as the state of a host tells it, or an empty dict."""
    found = read(layout)
    if found is None:
        return {}
    return {
        "held": found.exclusive,
        "armed": found.armed,
        "by": found.by,
        "purpose": found.purpose,
        "age": round(found.age, 1),
        "given_up": found.given_up,
        "owner": found.owner(),
    }


def expire(layout: Layout, runs: Collection[str]) -> None:
    """Let the lease of one of these runs be expired: whoever started it says that it is dead."""
    known = {run for run in runs if run}
    found = read(layout) if known else None
    if found and found.held and found.armed and found.by == HOST:
        # It was quicker, and does the same: it ends what a dead run left.
        wait(layout, found.limit + found.timeout)
    if found is None or not found.held or found.run not in known:
        return
    with _locked(layout):
        found = read(layout)
        if found is not None and found.run in known:
            # A step of it that still works here beats for it, and has to find the lease lost.
            _write(layout, replace(found, token=secrets.token_hex(8)))
            os.utime(_file(layout), (0, 0))


def wait(layout: Layout, seconds: float) -> None:
    """Wait until nobody holds the lease, at most so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (found := read(layout)) and found.held:
        time.sleep(POLL)


def acquire(layout: Layout, claim: Mapping[str, Any]) -> Lease:
    """Take the lease, or raise `MaestroError` that names who holds it.

    ``claim`` has ``token``, ``by``, ``purpose``, ``release``, ``serves``, ``limit``, ``timeout``
    and ``armed``; the same claim gets the same lease again. What an expired lease left
    half-done has to be put back before.
    """
    with _locked(layout):
        found = read(layout)
        if found is not None and found.held and found.token == claim["token"]:
            return found
        if found is not None and found.exclusive:
            raise MaestroError(
                f"the stack {layout.stack} is being changed by {found.owner()}",
                fix="wait for it (-e wait=SECONDS does); a lease whose owner is gone ends by "
                f"itself within {found.limit:.0f} s",
            )
        if found is not None and found.armed:
            raise MaestroError(
                f"a change by {found.owner()} was not finished",
                fix="deploy again: the previous release is restored first. The host does that by "
                "itself in a minute as well",
            )
        room.keep(layout)
        lease = Lease(
            token=str(claim["token"]),
            by=str(claim["by"]),
            purpose=str(claim["purpose"]),
            release=str(claim["release"]),
            serves=str(claim["serves"]),
            acquired=time.time(),
            limit=float(claim["limit"]),
            timeout=float(claim["timeout"]),
            armed=bool(claim["armed"]),
            approved_by=str(claim.get("approved_by", "")),
            plan=str(claim.get("plan", "")),
            yields=bool(claim.get("yields")),
            run=str(claim.get("run") or ""),
        )
        _write(layout, lease)
        return lease


def take_over(layout: Layout, by: str) -> Lease | None:
    """Take an expired lease as it is, to end what its owner left; None when there is none."""
    with _locked(layout):
        found = read(layout)
        if found is None or found.held:
            return None
        room.give(layout)
        # What was made since the change began is what it made: `acquired` stays.
        # It is no longer the run's, which may be dead.
        lease = replace(found, token=secrets.token_hex(8), by=by, run="")
        _write(layout, lease)
        return lease


def beat(layout: Layout, token: str) -> Lease:
    """Say that the owner lives; `Lost` when the lease is another's."""
    with _locked(layout):
        found = _own(layout, token)
        os.utime(_file(layout))
        return found


def disarm(layout: Layout, token: str) -> Lease:
    """From here on an expired lease puts nothing back; `Lost` when the lease is another's."""
    with _locked(layout):
        found = replace(_own(layout, token), armed=False)
        _write(layout, found)
        return found


def abandon(layout: Layout, token: str) -> None:
    """Let the lease be expired from now on, so that somebody else may end what it began."""
    with _locked(layout), contextlib.suppress(Lost):
        _own(layout, token)
        os.utime(_file(layout), (0, 0))


def release(layout: Layout, token: str) -> None:
    """Release the lease; one that is no longer the caller's stays as it is.

    Where the stack has no release, its directory goes as well.
    """
    with _locked(layout):
        found = read(layout)
        if found is not None and found.token == token:
            _file(layout).unlink()
            room.give(layout)
            if not layout.current_id() and not any(layout.releases.glob("*")):
                shutil.rmtree(layout.home, ignore_errors=True)


def _own(layout: Layout, token: str) -> Lease:
    found = read(layout)
    if found is None or found.token != token:
        raise Lost(
            f"the lease of {layout.stack} is no longer this run's"
            + (f": {found.owner()} has it" if found else ""),
            fix="this host lost contact with its deploy and rolled itself back; see "
            "maestro.stacks.status, then deploy again",
        )
    return found


@contextlib.contextmanager
def beating(
    layout: Layout, token: str, limit: float, also: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Say that the owner lives for as long as this lasts, and do ``also`` with each beat."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(limit / BEATS):
            # What works goes on, and says so, also when the lease is lost: it is waited for.
            with contextlib.suppress(OSError, Lost):
                beat(layout, token)
            with contextlib.suppress(OSError):
                also()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def kept(layout: Layout, token: str) -> Iterator[Callable[[], None]]:
    """Beat while a long operation works; what is yielded raises `Lost` when the lease is gone.

    One operation at a time: Ansible begins a step anew when its connection breaks, while the
    first still works. The second waits for it, and then finds it done.
    """
    found = beat(layout, token)
    working = threading.Event()

    def check() -> None:
        _own(layout, token)

    def work_on() -> None:
        if working.is_set():
            os.utime(_place(layout))

    with (
        beating(layout, token, found.limit, work_on),
        _working(layout, found.limit, found.limit + found.timeout, check),
    ):
        working.set()
        yield check


@contextlib.contextmanager
def _working(
    layout: Layout, limit: float, patience: float, check: Callable[[], None]
) -> Iterator[None]:
    """Hold the place of the one operation that changes the stack.

    It beats as its lease does, however long it takes. One that is still there after ``patience``
    seconds, and has not beaten for ``limit``, is frozen: should it wake, it finds the lease lost
    and changes nothing.
    """
    descriptor = os.open(_place(layout), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    try:
        while time.monotonic() < deadline or _beats(layout, limit):
            check()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(descriptor)
                break
            except BlockingIOError:
                time.sleep(POLL)
        yield
    finally:
        os.close(descriptor)


def _place(layout: Layout) -> Path:
    return layout.home / ".working"


def _beats(layout: Layout, limit: float) -> bool:
    """Whether the operation that holds the place is alive."""
    return abs(time.time() - _place(layout).stat().st_mtime) <= limit


def held_in(root: Path) -> list[Layout]:
    """The stacks that have a lease, held or expired."""
    homes = {path.parent for name in _NAMES for path in root.glob(f"*/{name}")}
    found = [Layout(root, home.name) for home in sorted(homes)]
    return [layout for layout in found if _file(layout).exists()]


def _file(layout: Layout) -> Path:
    """Where a link stands in the usual place, it keeps older versions away: see `older`."""
    usual, other = (layout.home / name for name in _NAMES)
    return other if usual.is_symlink() else usual


def _write(layout: Layout, lease: Lease) -> None:
    document = asdict(lease)
    del document["beat"]
    write_atomically(_file(layout), json.dumps(document, indent=2) + "\n", 0o644)


@contextlib.contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """One process at a time reads and writes the lease; the lock dies with its process."""
    layout.make_home()
    descriptor = os.open(layout.home / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

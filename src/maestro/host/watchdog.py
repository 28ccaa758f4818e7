"""Restarts containers that stay unhealthy: the Engine marks them so, and leaves them as they are.

The services of a stack are watched unless its ``x-maestro.watchdog`` says otherwise, see
`maestro.stack.watchdog`; other containers where they have the label ``autoheal=true``, or all of
the host where its provisioning asks for that. One that is paused, was stopped or ends by itself
is left alone, and so is a stack that is being changed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import edge_proxy, journal, lease, metrics, starvation
from .engine import Engine
from .journal_counts import Counts
from .labels import ONE_OFF, PROJECT, SERVICE
from .layout import Layout
from .watchdog_memory import FILE, Entry, Memory

OFF, STACKS, ALL = "off", "stacks", "all"
MODES = (OFF, STACKS, ALL)
LABEL = "autoheal"  # of a container that no release made: `true` or `false`

WINDOW = 3600.0  # seconds within which restarts are counted
RESTARTS = 5  # of one container within that time, where nothing else is said
FIRST, LONGEST = 10.0, 300.0  # seconds of the pause after the first restart, and at most
IDLE = 60.0  # seconds between two looks when nothing happens
BUSY = 5.0  # the same while a restart is under way or a stack is being changed
PATIENCE = 600.0  # the longest that a starved host keeps what is late from being restarted
AGAIN = 1.0  # seconds between two tries to reach the Engine
BY = "the watchdog"
_EVENTS = {"type": ["container"], "event": ["health_status"]}


@dataclass(frozen=True)
class Watched:
    """A container that may be restarted: at most ``restarts`` times within `WINDOW`.

    ``layout`` is its stack's; None where no release made it.
    """

    id: str
    name: str
    stack: str
    service: str
    restarts: int
    layout: Layout | None = None

    @property
    def label(self) -> str:
        """What an operator calls it."""
        return f"{self.stack}/{self.service} ({self.name})" if self.service else self.name

    @property
    def group(self) -> tuple[str, str]:
        """Of these one is restarted at a time: the others may still serve."""
        return (self.stack, self.service or self.name)


def due(restarts: Sequence[float], most: int, now: float) -> float:
    """When an unhealthy container may be restarted, in Unix time: ``now`` where that is at once.

    ``restarts`` are those before, oldest first. The pause after each is twice the one before it;
    after ``most`` within `WINDOW` it lasts until the first of them is as long ago as that.
    """
    recent = [at for at in restarts if 0 <= now - at < WINDOW]
    if not recent:
        return now
    if len(recent) >= most:
        return recent[-most] + WINDOW
    pause = min(FIRST * 2.0 ** (len(recent) - 1), LONGEST)
    return max(now, recent[-1] + pause)


def keep(root: Path, mode: str, memory: Path = FILE) -> None:
    """Watch for as long as the agent runs."""
    if mode == OFF:
        metrics.keep(root, memory)
    watchdog = Watchdog(root, Engine(), Memory(memory), mode)
    while True:
        try:
            watchdog.follow()
        except (MaestroError, OSError) as problem:
            _say(str(problem))
            time.sleep(AGAIN)


class Watchdog:
    """What is restarted now, and what was before."""

    def __init__(
        self,
        root: Path,
        engine: Engine,
        memory: Memory,
        mode: str = STACKS,
        clock: Callable[[], float] = time.time,
        starved: Callable[[], str] = starvation.reason,
    ) -> None:
        self._root, self._engine, self._memory, self._mode = root, engine, memory, mode
        self._clock, self._starved = clock, starved
        self._counts = Counts()
        self._spared: dict[str, float] = {}  # by name: since when
        self._lock = threading.Lock()
        self._working: dict[tuple[str, str], threading.Thread] = {}

    def follow(self) -> None:
        """Look now, and after each change of a container's health, until the next one is due."""
        began = time.time()
        quiet = self.look()
        for _ in self._engine.events(_EVENTS, since=began, quiet=quiet):
            if self.look() < quiet:
                return  # something is due before these events would end

    def look(self) -> float:
        """Restart what is unhealthy and due; the seconds until the next look."""
        wait = IDLE
        there = self._engine.unhealthy()
        for item in there:
            found = self._watched(item)
            if found:
                wait = min(wait, self._attend(found))
        names = {_name(item) for item in there}
        self._memory.forget(names, self._clock() - WINDOW)
        self._spared = {name: at for name, at in self._spared.items() if name in names}
        metrics.write(self._root, self._memory, self._counts)
        return max(wait, AGAIN)

    def _attend(self, found: Watched) -> float:
        with self._lock:
            if found.group in self._working:
                return BUSY
        now = self._clock()
        entry = self._memory.of(found.name, found.id, found.group)
        at = due(entry.restarts, found.restarts, now)
        if at > now:
            if at - now > LONGEST and not entry.given_up:
                self._give_up(found, entry, at)
            return min(at - now, IDLE)
        with self._lock:
            if found.group in self._working or _being_changed(found):
                return BUSY
            thread = threading.Thread(target=self._restart, args=(found, now), daemon=True)
            self._working[found.group] = thread
        thread.start()
        return BUSY

    def settle(self) -> None:
        """Wait until the restarts that are under way have ended."""
        for thread in list(self._working.values()):
            thread.join()

    def _restart(self, found: Watched, now: float) -> None:
        try:
            detail = self._engine.find(found.id)
            if not _sick(detail) or _being_changed(found):
                return
            # Who is frozen does not hear that it has to stop.
            frozen = self._engine.frozen(found.id, int(detail["State"].get("Pid") or 0))
            if not frozen and self._spare(found, detail, now):
                return
            number = self._memory.add(found.name, found.id, found.group, now, now - WINDOW)
            said = f"unhealthy; restart {number} of at most {found.restarts} within an hour"
            _say(f"{found.label}: {said}")
            self._engine.restart(found.id, 0 if frozen else None)
            _note(found, journal.DONE, said)
        except (MaestroError, OSError) as problem:
            _say(f"{found.label}: {problem}")
            _note(found, journal.FAILED, str(problem))
        finally:
            with self._lock:
                del self._working[found.group]

    def _spare(self, found: Watched, detail: Mapping[str, Any], now: float) -> bool:
        """Whether the host is to blame: it has no time for checks, which say nothing by themselves.

        A restart would cost it more time. After `PATIENCE` there is one all the same.
        """
        since = self._spared.get(found.name)
        if since is not None and not 0 <= now - since < PATIENCE:
            return False
        why = self._starved() if starvation.only_late(detail) else ""
        if why and since is None:
            self._spared[found.name] = now
            _say(
                f"{found.label}: its checks end too late, and the host is starved ({why}): "
                f"left as it is while that lasts, {PATIENCE / 60:.0f} minutes at most"
            )
        return bool(why)

    def _give_up(self, found: Watched, entry: Entry, at: float) -> None:
        self._memory.give_up(found.name, at)
        until = time.strftime("%H:%M UTC", time.gmtime(at))
        said = (
            f"still unhealthy after {len(entry.restarts)} restarts within an hour; left as it is "
            f"until {until}: see its logs, correct the service and deploy it"
        )
        _say(f"{found.label}: {said}")
        _note(found, journal.FAILED, said)

    def _watched(self, item: Mapping[str, Any]) -> Watched | None:
        """A container as it is watched; None for one that is left alone."""
        labels = item.get("Labels") or {}
        name = _name(item)
        if labels.get(ONE_OFF) == "True" or name == edge_proxy.NAME:
            return None
        project, service = str(labels.get(PROJECT, "")), str(labels.get(SERVICE, ""))
        layout = Layout(self._root, project) if project else None
        facts = _facts(layout, service)
        if layout is not None and facts is not None:
            said = facts.get("watchdog", RESTARTS)
            # A job is run again by a deploy alone.
            if said == 0 or "job" in facts:
                return None
            return Watched(str(item["Id"]), name, project, service, int(said), layout)
        asked = str(labels.get(LABEL, "true" if self._mode == ALL else "")).lower()
        if asked != "true":
            return None
        return Watched(str(item["Id"]), name, project, service, RESTARTS)


def _name(item: Mapping[str, Any]) -> str:
    return str(item["Names"][0]).lstrip("/")


def _facts(layout: Layout | None, service: str) -> Mapping[str, Any] | None:
    """What the running release says of a service; None where it has no such service."""
    if layout is None:
        return None
    try:
        return layout.manifest(layout.current_id()).get("services", {}).get(service)
    except (MaestroError, OSError):
        return None


def _sick(detail: Mapping[str, Any]) -> bool:
    state = detail.get("State") or {}
    health = (state.get("Health") or {}).get("Status")
    return health == "unhealthy" and state.get("Status") == "running"


def _being_changed(found: Watched) -> bool:
    return found.layout is not None and lease.read(found.layout) is not None


def _note(found: Watched, result: str, message: str) -> None:
    if found.layout is not None:
        event = journal.Event(
            stack=found.stack,
            what=f"restart of {found.service}",
            result=result,
            by=BY,
            release=found.layout.current_id(),
            message=f"{found.name}: {message}",
        )
        journal.write(found.layout, event)


def _say(text: str) -> None:
    print(f"watchdog: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- for the journal

"""Exchange the containers of services by their own rules: `Roll.level` and `up` tell the story.

What is there is held against the aim (`standing`), how a service is exchanged is decided on that
(`exchange`), and then containers come (`starting`), are judged (`judging`) and go (`leaving`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import anew, edge_users, handover, health, jobs, limits, nameless, repair, settle
from .aim import Aim
from .containers import ids
from .engine import Engine
from .exchange import ANEW, BESIDE, IN_TURN, Exchange, Way
from .judging import Judging
from .layout import Layout
from .leaving import Leaving
from .standing import Standing
from .starting import Starting
from .strangers import Ours, made_here
from .traffic import Traffic, everything


@dataclass
class Roll:
    """Brings the services of one stack to one release, level by level.

    ``apart`` starts each service by a call of its own: where a release with the same networks
    serves, and what a service needs is there already. ``settle`` is how many seconds a container
    without a health check must run without a restart. ``strict`` as for `Traffic`. ``pull`` is
    Compose's word for what is done about images: a host that goes back may have lost one, and be
    able to get it again.
    ``over`` are further options of Compose itself: files over the release's own.
    ``ours`` tells what a release made: all else can be brought back.
    """

    layout: Layout
    aim: Aim
    timeout: float
    recreate: frozenset[str] = frozenset()
    with_canary: bool = False
    check: Callable[[], None] = lambda: None
    engine: Engine = field(default_factory=Engine)
    apart: bool = False
    settle: float = settle.WATCH
    strict: bool = True
    over: Sequence[str] = ()
    pull: str = "never"
    ours: Ours = made_here

    def __post_init__(self) -> None:
        routes = edge_users.resolved(self.layout, self.aim.release, self.aim.routes)
        self.traffic = Traffic(self.layout, self.engine, routes, strict=self.strict)
        self.standing = Standing(self.layout, self.engine, self.aim, self.recreate, self.ours)
        self.starting = Starting(
            self.standing, self.check, self.timeout, self.apart, self.over, self.pull
        )
        self.judging = Judging(self.standing, self.traffic, self.timeout, self.settle)
        self.leaving = Leaving(self.standing, self.traffic, self.check)

    def level(self, services: Iterable[str]) -> None:
        """Exchange services that do not need each other; `MaestroError` names one that fails."""
        # A job that is done stays done, also when it was needed for a migration before.
        names = [name for name in services if not self.standing.done(name)]
        repair.ready(self.engine, self.layout.stack, names)
        self.standing.begin()
        fresh = [name for name in names if not self.standing.stands(name)]
        handover.make_way(self, fresh)
        self.leaving.stop(self.standing.borrowed.borrowers(fresh))
        ways = {name: self.standing.way(name) for name in names}
        self._in_place({name: way for name, way in ways.items() if way.kind != BESIDE})
        self._beside({name: way for name, way in ways.items() if way.kind == BESIDE})
        self.standing.exchanged.update(fresh)
        self._restart([name for name in names if name not in fresh])

    # Stop-first: the old container goes, then the new one comes.

    def _in_place(self, ways: Mapping[str, Way]) -> None:
        kinds: dict[str, list[str]] = {}
        for name, way in ways.items():
            kinds.setdefault(way.kind, []).append(name)
            if way.kind == IN_TURN:
                self._in_turn(name)
            elif way.kind == ANEW:
                # Compose hands its data on from a container that is there, and only stopped.
                for item in self.standing.of(name):
                    if str(item["Id"]) in way.first:
                        self.leaving.put_away(item)
            else:
                self.leaving.retire(dict.fromkeys(way.first, name))
        again = kinds.pop(ANEW, [])
        changed = [name for kind, found in kinds.items() if kind != IN_TURN for name in found]
        if again:
            self.starting.up(again, "--force-recreate")
        if changed:
            self.starting.up(changed)
        if whole := changed + again:
            self.judging.all_ready(whole)
            found = self._serve(whole)
            self.judging.monitor({c: name for name in whole for c in found[name]}, whole)

    def _in_turn(self, name: str) -> None:
        rules, replicas = self.aim.rules(name), self.aim.replicas(name)
        way = Exchange.of(self.standing.seen(name), rules, replicas)
        first = True
        while True:
            leaving = way.making_room()
            self.traffic.to({name: everything(way.serving)})
            self.leaving.retire(dict.fromkeys(leaving, name))
            new = self.starting.more({name: way.room})
            bad = self.judging.ready(new, early=first)
            first = False
            way.came(new, bad)
            self.judging.judge(new, bad, {name: way.failed})
            self.traffic.to({name: everything(way.serving)})
            self.judging.monitor(new, [name])
            if not way.old and not way.left:
                return
            time.sleep(rules.delay)

    # Start-first: the new container comes beside the old one and takes over its requests.

    def _beside(self, found: Mapping[str, Way]) -> None:
        ways = {name: self._exchange(name, way) for name, way in found.items()}
        first = True
        while ways:
            more = {name: way.rules.batch(way.left) for name, way in ways.items() if way.left}
            new = self.starting.more(more) if more else {}
            bad = self.judging.ready(new, early=first) if new else {}
            for name, way in ways.items():
                way.failed += sum(new[container] == name for container in bad)
            self.judging.judge(new, bad, {name: way.failed for name, way in ways.items()})
            good = {container: name for container, name in new.items() if container not in bad}
            if first and self.with_canary:
                self.judging.canary(good, ways)
            first = False
            for container, name in good.items():
                ways[name].live.append(container)
            leaving = {container: name for name, way in ways.items() for container in way.retired()}
            self.traffic.to({name: everything(way.serving) for name, way in ways.items()})
            self.judging.monitor(good, list(more))
            self.leaving.retire(leaving)
            if not any(way.left for way in ways.values()):
                return
            time.sleep(max(way.rules.delay for way in ways.values()))

    def _exchange(self, name: str, way: Way) -> Exchange:
        self.leaving.retire(dict.fromkeys(way.first, name))
        running = [item for item in self.standing.seen(name) if item.running]
        return Exchange.of(running, self.aim.rules(name), self.aim.replicas(name))

    def _restart(self, services: Iterable[str]) -> None:
        """Restart what depends on exchanged services and asks to be restarted with them."""
        due = [name for name in services if self.standing.restarts(name)]
        self.leaving.stop(self.standing.borrowed.borrowers(due))
        for name in due:
            for item in self.standing.of(name):
                self.check()
                self.engine.restart(str(item["Id"]))
            self.standing.exchanged.add(name)
        if due:
            health.wait_services(self.layout, self.engine, due, self.timeout)
            self._serve(due)

    def _serve(self, services: Sequence[str]) -> dict[str, list[str]]:
        """Give all containers of services their requests; the containers."""
        found = self.standing.ids_of(services)
        self.traffic.to({name: everything(there) for name, there in found.items()})
        return found


def up(
    roll: Roll,
    levels: Sequence[Sequence[str]],
    remove_first: Iterable[str] = (),
    networks: Iterable[str] = (),
    *,
    joined: bool = False,
) -> dict[str, list[str]]:
    """Bring the services of ``levels`` to the aim, one level after the other.

    ``remove_first`` are services the release no longer has and whose ports it needs, ``networks``
    names of networks that are made anew. Levels are ``joined`` as `together` says.
    Returns ``created``, ``replaced`` and ``removed`` service names, from container ids before
    and after. Raises `MaestroError` that names the failed service and shows its last log
    lines, redacted.
    """
    before = ids(roll.engine, roll.layout.stack)
    _remember(roll)
    removed = handover.send_away(roll, remove_first)
    anew.clear(roll.layout, roll.engine, networks, lambda names: roll.leaving.stop(names, levels))
    for level in together(roll, levels) if joined else levels:
        roll.level(level)
    roll.traffic.settle()
    for name, (containers, why) in roll.judging.verify().items():
        raise health.failure(roll.layout, roll.engine, name, containers, why)
    # What stays as it is gets its limits too, and is not replaced for it.
    limits.apply(roll.engine, roll.layout.stack, roll.aim.services)
    return {**_changes(levels, before, ids(roll.engine, roll.layout.stack)), "removed": removed}


def together(roll: Roll, levels: Iterable[Sequence[str]]) -> list[list[str]]:
    """Levels made one where all their services start beside what runs.

    What they need is there already, so that none has to wait for another.
    """
    joined: list[list[str]] = []
    open_to_more = False
    for level in levels:
        beside = all(roll.standing.starts_beside(name) for name in level)
        if beside and open_to_more:
            joined[-1] += level
        else:
            joined.append(list(level))
        open_to_more = beside
    return joined


def _remember(roll: Roll) -> None:
    """Write down what the containers there are can tell and their successors cannot."""
    nameless.note(roll.layout, roll.engine)
    if serving := roll.layout.current_id():
        jobs.remember(roll.layout, roll.engine, roll.layout.manifest(serving)["services"])


def _changes(
    levels: Iterable[Iterable[str]], before: Mapping[str, set[str]], after: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    touched = sorted({service for level in levels for service in level})
    there = [name for name in touched if name in before]
    return {
        "created": [name for name in touched if name not in before],
        "replaced": [name for name in there if before[name] != after.get(name)],
    }

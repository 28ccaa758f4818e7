"""Exchange the containers of services by their own rules."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from subprocess import CompletedProcess
from typing import Any

from ..errors import MaestroError
from . import (
    adoption,
    anew,
    canary,
    compose,
    handover,
    health,
    jobs,
    life,
    limits,
    nameless,
    probe,
    repair,
    settle,
)
from .borrowed import Borrowed
from .containers import ids, of_service, of_stack
from .engine import Engine
from .holds import of_container, writes_data
from .jobs import Job, listed_as_done
from .labels import HASH_LABEL, SERVICE
from .layout import Layout
from .rules import START_FIRST, UPDATE, Rules
from .strangers import Ours, among, made_here
from .traffic import Traffic, everything, split

# Seconds that Compose has at least to make and start containers: a busy machine is no failure.
COMPOSE = 30.0


@dataclass(frozen=True)
class Aim:
    """What a host is brought to: a release on its disk, as its manifest records it.

    ``services`` maps names to ``{hash, replicas, exchange}``; ``kind`` says whose rules count,
    `rules.UPDATE` or `rules.ROLLBACK`.
    """

    release: str
    services: Mapping[str, Mapping[str, Any]]
    routes: Sequence[Mapping[str, Any]] = ()
    kind: str = UPDATE


@dataclass
class _Exchange:
    """One start-first service on its way from its old containers to new ones."""

    rules: Rules
    replicas: int
    live: list[str]
    old: list[str]
    failed: int = 0

    @property
    def left(self) -> int:
        """How many new containers are still missing."""
        return max(self.replicas - len(self.live) - self.failed, 0)

    def retired(self) -> list[str]:
        """The old containers whose places are taken; they leave ``old``."""
        keep = min(self.left, len(self.old)) if self.left else 0
        leaving = self.old[: len(self.old) - keep]
        self.old = self.old[len(leaving) :]
        if not self.left:
            leaving += self.live[self.replicas :]
            self.live = self.live[: self.replicas]
        return leaving


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
        self.borrowed = Borrowed(self.engine, self.layout.stack, self.aim.services)
        self.exchanged: set[str] = set()
        self._settling = settle.Settling(self.engine)
        self._before: dict[str, set[str]] | None = None  # container ids by service, at first
        self._owner: dict[str, str] = {}  # their containers
        self._ran = jobs.remembered(self.layout)
        self.traffic = Traffic(self.layout, self.engine, self.aim.routes, strict=self.strict)

    def level(self, services: Iterable[str]) -> None:
        """Exchange services that do not need each other; `MaestroError` names one that fails."""
        # A job that is done stays done, also when it was needed for a migration before.
        names = [name for name in services if not self._done(name)]
        repair.ready(self.engine, self.layout.stack, names)
        if self._before is None:
            self._before = ids(self.engine, self.layout.stack)
        fresh = [name for name in names if not self._stands(name)]
        handover.make_way(self, fresh)
        self.stop(self.borrowed.borrowers(fresh))
        beside: list[str] = []
        in_place: list[str] = []
        for name in names:
            (beside if self.starts_beside(name) else in_place).append(name)
        if in_place:
            self._in_place(in_place)
        if beside:
            self._beside(beside)
        self.exchanged.update(fresh)
        self._restart([name for name in names if name not in fresh])

    def stop(self, services: Sequence[str], levels: Sequence[Sequence[str]] = ()) -> None:
        """Stop and remove the containers of services, and of those that borrow of them.

        The last of the ``levels`` in which services start stops first, all of one level at once.
        One with data in a volume without a name is not removed: Compose takes it over from there.
        """
        rank = {name: number for number, level in enumerate(levels) for name in level}
        groups: dict[int, list[Mapping[str, Any]]] = {}
        wanted = {*services, *self.borrowed.borrowers(services)}
        for item in of_stack(self.engine, self.layout.stack) if wanted else ():
            if (name := item["Labels"].get(SERVICE)) in wanted:
                groups.setdefault(rank.get(name, len(levels)), []).append(item)
        for _, leaving in sorted(groups.items(), reverse=True):
            self.check()
            with ThreadPoolExecutor(len(leaving)) as pool:
                list(pool.map(self.put_away, leaving))

    def put_away(self, item: Mapping[str, Any]) -> None:
        """Stop a container of the listing, and remove it unless it keeps data without a name.

        Compose hands such data on to what it makes in the container's place; what was made by
        hand can be brought back.
        """
        container = str(item["Id"])
        facts = self.aim.services.get(item["Labels"].get(SERVICE, "")) or {}
        keeps = handover.keeps_nameless(item, facts)
        if self._stranger(item):
            adoption.set_aside(self.layout, self.aim.release, self.engine, container, stays=keeps)
        elif keeps:
            self.engine.stop(container)
        else:
            self.engine.remove(container)

    def due(self, name: str) -> bool:
        """Whether a service is not what the aim wants, or depends on one that was exchanged."""
        return not self._stands(name) or self.borrowed.restarts(name, self.exchanged)

    def _stands(self, name: str) -> bool:
        """Whether a service has all its containers, as they shall be and running."""
        there = of_service(self.engine, self.layout.stack, name)
        if not there and self.ran(name):
            return True
        return len(there) == self._replicas(name) and all(
            self._wanted(item)
            and (item["State"] == "running" or (self._job(name) and listed_as_done(item)))
            for item in there
        )

    def ran(self, name: str) -> bool:
        """Whether a service is a job that was done with just this definition."""
        facts = self.aim.services[name]
        return bool(self._job(name)) and self._ran.get(name) == facts["hash"]

    def _done(self, name: str) -> bool:
        """Whether a service is a job whose every container has ended well, or did before."""
        there = of_service(self.engine, self.layout.stack, name)
        return bool(self._job(name)) and self._stands(name) and all(map(listed_as_done, there))

    def _restart(self, services: Iterable[str]) -> None:
        """Restart what depends on exchanged services and asks to be restarted with them."""
        due = [name for name in services if self.borrowed.restarts(name, self.exchanged)]
        self.stop(self.borrowed.borrowers(due))
        for name in due:
            for item in of_service(self.engine, self.layout.stack, name):
                self.check()
                self.engine.restart(str(item["Id"]))
            self.exchanged.add(name)
        if due:
            health.wait_services(self.layout, self.engine, due, self.timeout)
            found = ids(self.engine, self.layout.stack)
            self.traffic.to({name: everything(sorted(found[name])) for name in due})

    def verify(self) -> dict[str, tuple[list[str], str]]:
        """Wait until all that is new has run long enough, and answers at the edge.

        Returns what is wrong: containers and the reason, by service.
        """
        bad = self._settling.finish()
        wrong: dict[str, tuple[list[str], str]] = {}
        for container, why in bad.items():
            wrong.setdefault(self._owner[container], ([], why))[0].append(container)
        asked = [route for route in self._asked() if route["service"] in self.exchanged]
        for name, why in probe.at_the_edge(self.layout, asked).items():
            there = [container for container, owner in self._owner.items() if owner == name]
            wrong.setdefault(name, (there, why))
        return {
            name: found
            for name, found in wrong.items()
            if not self._rules(name).tolerates(len(found[0]), self._replicas(name))
        }

    def starts_beside(self, name: str) -> bool:
        """Whether the service starts first and has a running container to start beside."""
        there = of_service(self.engine, self.layout.stack, name)
        running = [item for item in there if item["State"] == "running"]
        # What is right and merely stopped is started again, as the plan says.
        complete = len(there) == self._replicas(name) and all(map(self._wanted, there))
        stopped = complete and len(running) < len(there)
        first = (
            self._rules(name).order == START_FIRST
            and not self._job(name)
            and not self._keeps_data(name, running)
        )
        return first and bool(running) and not stopped

    def remove(self, services: Iterable[str], *, strangers: bool = True) -> list[str]:
        """Stop and remove the containers of services; the names of those that had any.

        Without ``strangers`` those that no release made stay.
        """
        there = {
            str(item["Id"]): name
            for name in services
            for item in of_service(self.engine, self.layout.stack, name)
            if strangers or not self._stranger(item)
        }
        self._retire(there)
        return sorted(set(there.values()))

    def leave(self, services: Mapping[str, Mapping[str, Any]], aside: Iterable[str]) -> None:
        """Remove what releases brought that is none of ``services``; nothing made by hand.

        Of the services ``aside`` only what is as it shall be stays.
        """
        leaving = {}
        for item in of_stack(self.engine, self.layout.stack):
            name = str(item["Labels"].get(SERVICE, ""))
            gone = name not in services or (name in aside and not self._same(item, name))
            if gone and not self._stranger(item):
                leaving[str(item["Id"])] = name
        self._retire(leaving)

    def _keeps_data(self, name: str, there: Iterable[Mapping[str, Any]]) -> bool:
        """Whether containers have data that a second one beside them would not find or spoil."""
        facts = self.aim.services[name]
        return any(
            handover.keeps_nameless(item, facts)
            # An older manifest does not tell an order that the file named from the default then.
            or ("holds" not in facts and writes_data(of_container(item)))
            for item in there
        )

    def _rules(self, name: str) -> Rules:
        return Rules.of(self.aim.services[name], self.aim.kind)

    def _replicas(self, name: str) -> int:
        return int(self.aim.services[name]["replicas"])

    def _job(self, name: str) -> Job | None:
        return Job.of(self.aim.services[name])

    def _asked(self) -> list[Mapping[str, Any]]:
        """The routes of services that nothing else checks."""
        return [
            route
            for route in self.aim.routes
            if self.aim.services.get(route["service"], {}).get("ask")
        ]

    def _expect(self, owner: Mapping[str, str]) -> dict[str, health.Expect]:
        """What is asked of new containers; what they need may still be on its way up.

        A service that replaces one whose surroundings stay has no excuse for a restart.
        """
        before = self._before or {}
        return {
            container: health.Expect(
                self._job(name),
                health.RESTARTS if self.exchanged or name not in before else 0,
                fresh=container not in before.get(name, set()),
            )
            for container, name in owner.items()
        }

    def _settle(self, owner: Mapping[str, str]) -> None:
        """Watch healthy containers from now on; see `verify`."""
        seconds = {}
        for name in set(owner.values()):
            rules, job = self._rules(name), self._job(name)
            usual = self.settle if rules.watch is None else rules.watch
            seconds[name] = (job.patience if job else 0) or usual
        self._settling.add(owner, self._expect(owner), seconds)
        self._owner.update(owner)

    def _ready(self, new: Mapping[str, str], *, early: bool) -> dict[str, str]:
        """Wait until new containers can take over; what is wrong with which.

        The ``early`` ones have run long enough before the old ones go.
        """
        bad = health.wait(self.engine, new, self.timeout, self._expect(new))
        good = {container: name for container, name in new.items() if container not in bad}
        self._settle(good)
        if early:
            bad |= self._settling.finish(good)
        good = {container: name for container, name in good.items() if container not in bad}
        return {**bad, **self._answer(good)}

    def _answer(self, owner: Mapping[str, str]) -> dict[str, str]:
        """Containers with a route and without a check that do not answer; what is wrong."""
        return probe.containers(
            self.engine, owner, self._asked(), self.timeout, self.traffic.reached
        )

    def wanted(self, item: Mapping[str, Any]) -> bool:
        """Whether a container of a service of the aim stays as it is."""
        return self._wanted(item)

    def _wanted(self, item: Mapping[str, Any]) -> bool:
        """Whether a container is what the aim wants it to be."""
        name = item["Labels"].get(SERVICE, "")
        right = self._same(item, name) and made_here(self.layout, item["Labels"])
        # What was made in its place since is not recreated once more.
        old = self._before is None or str(item["Id"]) in self._before.get(name, ())
        sick = (name in self.recreate and old) or "(unhealthy)" in item.get("Status", "")
        return right and not sick and self.borrowed.holds(name, str(item["Id"]))

    # Stop-first: the old container goes, then the new one comes.

    def _in_place(self, services: Sequence[str]) -> None:
        whole, again = [], []
        for name in services:
            rules, replicas = self._rules(name), self._replicas(name)
            there = of_service(self.engine, self.layout.stack, name)
            stale = [item for item in there if not self._wanted(item)]
            # Only Compose hands volumes without a name on, from all containers to all new ones.
            keeps = any(handover.keeps_nameless(item, self.aim.services[name]) for item in there)
            strangers = [item for item in stale if self._stranger(item)]
            if keeps and (
                any(self._same(item, name) for item in stale)
                or strangers
                or handover.stranded(self.engine, there)
            ):
                for item in strangers:
                    self.put_away(item)
                again.append(name)
            elif stale and not keeps and len(there) > 1 and 0 < rules.parallelism < replicas:
                self._one_after_the_other(name, rules, replicas)
            else:
                # Compose keeps what is right but would keep what is sick as well, and it replaces
                # what was made by hand without a way back.
                ours = [i for i in stale if self._same(i, name) or self._stranger(i)]
                self._retire({str(item["Id"]): name for item in ours})
                whole.append(name)
        if again:
            self._compose(again, "--force-recreate")
        if whole:
            self._compose(whole)
        whole += again
        if not whole:
            return
        owner = health.wait_services(self.layout, self.engine, whole, self.timeout, self._expect)
        self._settle(owner)
        bad = self._answer(owner)
        health.raise_first(self.layout, self.engine, owner, bad)
        found = ids(self.engine, self.layout.stack)
        self.traffic.to({name: everything(sorted(found[name])) for name in whole})
        self._monitor({c: name for name in whole for c in found[name]}, whole)

    def _same(self, item: Mapping[str, Any], name: str) -> bool:
        return bool(item["Labels"].get(HASH_LABEL) == self.aim.services[name]["hash"])

    def _stranger(self, item: Mapping[str, Any]) -> bool:
        return not self.ours(self.layout, item["Labels"])

    def _one_after_the_other(self, name: str, rules: Rules, replicas: int) -> None:
        failed = 0
        first = True
        while True:
            there = of_service(self.engine, self.layout.stack, name)
            stale = [str(item["Id"]) for item in there if not self._wanted(item)]
            kept = [str(item["Id"]) for item in there if self._wanted(item)]
            leaving = stale[: rules.batch(len(stale))]
            missing = replicas - len(there) - failed + len(leaving)
            if not leaving and missing <= 0:
                return
            rest = [c for c in [*kept, *stale] if c not in leaving]
            self.traffic.to({name: everything(rest)})
            self._retire(dict.fromkeys(leaving, name))
            new = self._start({name: max(missing, 0)})
            bad = self._ready(new, early=first)
            first = False
            failed += len(bad)
            self._judge(new, bad, {name: failed})
            self.traffic.to({name: everything([*rest, *(c for c in new if c not in bad)])})
            self._monitor(new, [name])
            time.sleep(rules.delay)

    # Start-first: the new container comes beside the old one and takes over its requests.

    def _beside(self, services: Sequence[str]) -> None:
        ways = {name: self._way(name) for name in services}
        first = True
        while True:
            more = {name: way.rules.batch(way.left) for name, way in ways.items() if way.left}
            new = self._start(more) if more else {}
            bad = self._ready(new, early=first) if new else {}
            for container in bad:
                ways[new[container]].failed += 1
            self._judge(new, bad, {name: way.failed for name, way in ways.items()})
            good = {container: name for container, name in new.items() if container not in bad}
            if first and self.with_canary:
                self._try(good, ways)
            first = False
            for container, name in good.items():
                ways[name].live.append(container)
            leaving = {container: name for name, way in ways.items() for container in way.retired()}
            self.traffic.to({n: everything([*way.live, *way.old]) for n, way in ways.items()})
            self._monitor(good, list(more))
            self._retire(leaving)
            if not any(way.left for way in ways.values()):
                return
            time.sleep(max(way.rules.delay for way in ways.values()))

    def _way(self, name: str) -> _Exchange:
        """Where a service stands; what does not run is removed, or Compose would start it."""
        there = of_service(self.engine, self.layout.stack, name)
        self._retire({str(item["Id"]): name for item in there if item["State"] != "running"})
        running = [item for item in there if item["State"] == "running"]
        return _Exchange(
            rules=self._rules(name),
            replicas=self._replicas(name),
            live=[str(item["Id"]) for item in running if self._wanted(item)],
            old=[str(item["Id"]) for item in running if not self._wanted(item)],
        )

    def _try(self, new: Mapping[str, str], ways: Mapping[str, _Exchange]) -> None:
        """Give the first new containers a part of the requests, and see how they do."""
        for name, way in ways.items():
            route = self.traffic.canary(name)
            fresh = [container for container, service in new.items() if service == name]
            if not route or not fresh or not way.old:
                continue
            rule = route["canary"]
            self.traffic.to({name: split([*way.live, *way.old], fresh, int(rule["weight"]))})
            reached = self.traffic.addresses(fresh)
            why = canary.watch(self.engine, reached, rule, int(route["port"]))
            if why:
                raise health.failure(self.layout, self.engine, name, fresh, f"canary: {why}")

    # What both ways share.

    def _judge(
        self, owner: Mapping[str, str], bad: Mapping[str, str], failed: Mapping[str, int]
    ) -> None:
        """Raise unless the rules of every service with failed containers tolerate them."""
        intolerable = {
            container: why
            for container, why in bad.items()
            if not self._rules(owner[container]).tolerates(
                failed[owner[container]], self._replicas(owner[container])
            )
        }
        health.raise_first(self.layout, self.engine, owner, intolerable)

    def _monitor(self, owner: Mapping[str, str], services: Iterable[str]) -> None:
        duration = max((self._rules(name).monitor for name in services), default=0)
        if duration:
            bad = health.watch(self.engine, owner, duration)
            count = {name: sum(owner[c] == name for c in bad) for name in set(owner.values())}
            self._judge(owner, bad, count)

    def _start(self, more: Mapping[str, int]) -> dict[str, str]:
        """Start so many more containers of each service beside those it has: id to service."""
        before = ids(self.engine, self.layout.stack)

        def start(names: Sequence[str]) -> None:
            scale = [f"{name}={len(before.get(name, ())) + more[name]}" for name in names]
            options = itertools.chain.from_iterable(("--scale", item) for item in scale)
            self._compose(names, "--no-recreate", *options)

        # In one call Compose lets each wait until those it depends on are healthy; two calls would
        # race for a network that is not there yet.
        calls = [[name] for name in more] if self.apart else [list(more)]
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(start, calls))
        after = ids(self.engine, self.layout.stack)
        return {
            container: name
            for name in more
            for container in sorted(after.get(name, set()) - before.get(name, set()))
        }

    def _compose(self, services: Sequence[str], *options: str) -> None:
        self.check()
        argv = compose.arguments(
            self.layout.stack,
            self.layout.compose_file(self.aim.release),
            *self.over,
            *("up", "--detach", "--no-deps", "--no-build", "--pull", self.pull, *options),
            *services,
        )
        result = self._run(argv, services)
        if result.returncode == 0:
            limits.apply(self.engine, self.layout.stack, self.aim.services, services)
            return
        there = [
            str(item["Id"])
            for name in services
            for item in of_service(self.engine, self.layout.stack, name)
            if item["State"] != "running" and item["Labels"].get(HASH_LABEL)
        ]
        why = compose.complaint(result.stderr)
        raise health.failure(self.layout, self.engine, ", ".join(services), there, why)

    def _run(self, argv: Sequence[str], services: Sequence[str]) -> CompletedProcess[str]:
        """Compose has the time to start, and before that the time the old containers have to stop.

        It waits for each of them as long as the stack's file says, which may be longer than all
        that starting takes.
        """
        stack = self.layout.stack
        there = [
            str(item["Id"]) for name in services for item in of_service(self.engine, stack, name)
        ]
        stopping = life.longest_grace(self.engine.inspect(container) for container in there)
        starting = max(self.timeout, COMPOSE)
        try:
            return compose.run(argv, timeout=starting + stopping)
        except compose.TimedOut as error:
            raise MaestroError(
                f"service {', '.join(services)}: {error.what}",
                where=f"stack {stack}",
                fix=f"it had {stopping:.0f} s to stop what runs (stop_grace_period) and "
                f"{starting:.0f} s to start (deploy_timeout): raise what was too short",
            ) from error

    def _retire(self, containers: Mapping[str, str]) -> None:
        """Let containers (id to service) finish what they do, then stop and remove them."""
        if not containers:
            return
        self.check()
        self.traffic.drain(containers)
        strangers = {str(item["Id"]) for item in among(self.engine, self.layout, self.ours)}
        with ThreadPoolExecutor(len(containers)) as pool:
            list(pool.map(lambda item: self._away(item, stranger=item in strangers), containers))

    def _away(self, container: str, *, stranger: bool) -> None:
        """Stop and remove one; what was made by hand can be brought back."""
        if stranger:
            adoption.set_aside(self.layout, self.aim.release, self.engine, container)
        else:
            self.engine.remove(container)


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
    stack = roll.layout.stack
    before = ids(roll.engine, stack)
    nameless.note(roll.layout, roll.engine)
    serving = roll.layout.current_id()
    if serving:
        jobs.remember(roll.layout, roll.engine, roll.layout.manifest(serving)["services"])
    removed = handover.send_away(roll, remove_first)
    anew.clear(roll.layout, roll.engine, networks, lambda names: roll.stop(names, levels))
    for level in together(roll, levels) if joined else levels:
        roll.level(level)
    roll.traffic.settle()
    for name, (containers, why) in roll.verify().items():
        raise health.failure(roll.layout, roll.engine, name, containers, why)
    # What stays as it is gets its limits too, and is not replaced for it.
    limits.apply(roll.engine, stack, roll.aim.services)
    after = ids(roll.engine, stack)
    touched = sorted({service for level in levels for service in level})
    return {
        "created": [name for name in touched if name not in before],
        "replaced": [
            name for name in touched if name in before and before[name] != after.get(name)
        ],
        "removed": removed,
    }


def together(roll: Roll, levels: Iterable[Sequence[str]]) -> list[list[str]]:
    """Levels made one where all their services start beside what runs.

    What they need is there already, so that none has to wait for another.
    """
    joined: list[list[str]] = []
    open_to_more = False
    for level in levels:
        beside = all(roll.starts_beside(name) for name in level)
        if beside and open_to_more:
            joined[-1] += level
        else:
            joined.append(list(level))
        open_to_more = beside
    return joined

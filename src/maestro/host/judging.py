"""Whether new containers do what they should, and whether one that fails is tolerated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import canary, health, probe
from .exchange import Exchange
from .settle import Settling
from .standing import Standing
from .traffic import Traffic, split


@dataclass
class Judging:
    """Watches the new containers of one change; ``settle`` and ``timeout`` as of `roll.Roll`."""

    standing: Standing
    traffic: Traffic
    timeout: float
    settle: float
    _owner: dict[str, str] = field(default_factory=dict)  # the services of all new containers

    def __post_init__(self) -> None:
        self._settling = Settling(self.standing.engine)

    def ready(self, new: Mapping[str, str], *, early: bool) -> dict[str, str]:
        """Wait until new containers can take over; what is wrong with which.

        The ``early`` ones have run long enough before the old ones go.
        """
        engine = self.standing.engine
        bad = health.wait(engine, new, self.timeout, self.standing.expect(new))
        good = {container: name for container, name in new.items() if container not in bad}
        self._watch(good)
        if early:
            bad |= self._settling.finish(good)
        good = {container: name for container, name in good.items() if container not in bad}
        return {**bad, **self._answer(good)}

    def all_ready(self, services: Iterable[str]) -> None:
        """Wait until every container of services can take over; `MaestroError` when one cannot."""
        layout, engine = self.standing.layout, self.standing.engine
        expect = self.standing.expect
        owner = health.wait_services(layout, engine, services, self.timeout, expect)
        self._watch(owner)
        health.raise_first(layout, engine, owner, self._answer(owner))

    def judge(
        self,
        owner: Mapping[str, str],
        bad: Mapping[str, str],
        failed: Mapping[str, int] | None = None,
    ) -> None:
        """Raise unless the rules of every service with failed containers tolerate them."""
        wrong = self.standing.aim.intolerable(owner, bad, failed)
        health.raise_first(self.standing.layout, self.standing.engine, owner, wrong)

    def monitor(self, owner: Mapping[str, str], services: Iterable[str]) -> None:
        """Watch containers for as long as their services' files say."""
        rules = self.standing.aim.rules
        duration = max((rules(name).monitor for name in services), default=0)
        if duration:
            self.judge(owner, health.watch(self.standing.engine, owner, duration))

    def canary(self, new: Mapping[str, str], ways: Mapping[str, Exchange]) -> None:
        """Give the first new containers a part of the requests, and see how they do."""
        layout, engine = self.standing.layout, self.standing.engine
        for name, way in ways.items():
            route = self.traffic.canary(name)
            fresh = [container for container, service in new.items() if service == name]
            if not route or not fresh or not way.old:
                continue
            rule = route["canary"]
            self.traffic.to({name: split(way.serving, fresh, int(rule["weight"]))})
            reached = self.traffic.addresses(fresh)
            why = canary.watch(engine, reached, rule, int(route["port"]))
            if why:
                raise health.failure(layout, engine, name, fresh, f"canary: {why}")

    def verify(self) -> dict[str, tuple[list[str], str]]:
        """Wait until all that is new has run long enough, and answers at the edge.

        Returns what is wrong: containers and the reason, by service.
        """
        aim = self.standing.aim
        bad = self._settling.finish()
        wrong: dict[str, tuple[list[str], str]] = {}
        for container, why in bad.items():
            wrong.setdefault(self._owner[container], ([], why))[0].append(container)
        asked = [item for item in aim.asked() if item["service"] in self.standing.exchanged]
        for name, why in probe.at_the_edge(self.standing.layout, asked).items():
            there = [container for container, owner in self._owner.items() if owner == name]
            wrong.setdefault(name, (there, why))
        return {
            name: found
            for name, found in wrong.items()
            if not aim.rules(name).tolerates(len(found[0]), aim.replicas(name))
        }

    def _watch(self, owner: Mapping[str, str]) -> None:
        """Watch healthy containers from now on; see `verify`."""
        aim, seconds = self.standing.aim, {}
        for name in set(owner.values()):
            said, job = aim.rules(name).watch, aim.job(name)
            usual = self.settle if said is None else said
            seconds[name] = (job.patience if job else 0) or usual
        self._settling.add(owner, self.standing.expect(owner), seconds)
        self._owner.update(owner)

    def _answer(self, owner: Mapping[str, str]) -> dict[str, str]:
        """Containers with a route and without a check that do not answer; what is wrong."""
        asked, reached = self.standing.aim.asked(), self.traffic.reached
        return probe.containers(self.standing.engine, owner, asked, self.timeout, reached)

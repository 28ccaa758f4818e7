"""What runs of a stack, held against what a release wants. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import exchange, handover, jobs
from .aim import Aim
from .borrowed import Borrowed
from .containers import ids, of_service
from .engine import Engine
from .exchange import Seen, Way
from .health import RESTARTS, Expect
from .holds import of_container, writes_data
from .jobs import listed_as_done
from .labels import HASH_LABEL, SERVICE
from .layout import Layout
from .strangers import Ours, made_here


@dataclass
class Standing:
    """The containers of one stack, and one release's word on each.

    The services to ``recreate`` get new containers in any case; ``ours`` tells what a release made.
    ``exchanged`` are the services that were brought to the aim so far.
    """

    layout: Layout
    engine: Engine
    aim: Aim
    recreate: frozenset[str] = frozenset()
    ours: Ours = made_here
    exchanged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.borrowed = Borrowed(self.engine, self.layout.stack, self.aim.services)
        self._ran = jobs.remembered(self.layout)
        self._before: dict[str, set[str]] | None = None

    def begin(self) -> None:
        """Remember which containers there are before the first is exchanged."""
        if self._before is None:
            self._before = ids(self.engine, self.layout.stack)

    def of(self, name: str) -> list[dict[str, Any]]:
        """Summaries of a service's containers, oldest first."""
        return of_service(self.engine, self.layout.stack, name)

    def seen(self, name: str) -> list[Seen]:
        """A service's containers, held against what is wanted of them."""
        return [self._seen(item, name) for item in self.of(name)]

    def way(self, name: str) -> Way:
        """How a service is exchanged."""
        there = self.of(name)
        seen = [self._seen(item, name) for item in there]
        return exchange.way(
            seen,
            self.aim.rules(name),
            self.aim.replicas(name),
            job=self.aim.job(name) is not None,
            stranded=any(item.keeps for item in seen) and handover.stranded(self.engine, there),
        )

    def starts_beside(self, name: str) -> bool:
        """Whether a service starts first and has a running container to start beside."""
        rules, replicas = self.aim.rules(name), self.aim.replicas(name)
        job = self.aim.job(name) is not None
        return exchange.starts_beside(self.seen(name), rules, replicas, job=job)

    def due(self, name: str) -> bool:
        """Whether a service is not what the aim wants, or depends on one that was exchanged."""
        return not self.stands(name) or self.restarts(name)

    def restarts(self, name: str) -> bool:
        """Whether a service is to be restarted with one that was exchanged."""
        return self.borrowed.restarts(name, self.exchanged)

    def stands(self, name: str) -> bool:
        """Whether a service has all its containers, as they shall be and running."""
        there, job = self.of(name), self.aim.job(name)
        if not there and self.ran(name):
            return True
        return len(there) == self.aim.replicas(name) and all(
            self.wanted(item) and (item["State"] == "running" or (job and listed_as_done(item)))
            for item in there
        )

    def ran(self, name: str) -> bool:
        """Whether a service is a job that was done with just this definition."""
        return bool(self.aim.job(name)) and self._ran.get(name) == self.aim.services[name]["hash"]

    def done(self, name: str) -> bool:
        """Whether a service is a job whose every container has ended well, or did before."""
        return (
            bool(self.aim.job(name))
            and self.stands(name)
            and all(map(listed_as_done, self.of(name)))
        )

    def wanted(self, item: Mapping[str, Any]) -> bool:
        """Whether a container of a service of the aim stays as it is."""
        name = item["Labels"].get(SERVICE, "")
        right = self.same(item, name) and made_here(self.layout, item["Labels"])
        # What was made in its place since is not recreated once more.
        old = self._before is None or str(item["Id"]) in self._before.get(name, ())
        sick = (name in self.recreate and old) or "(unhealthy)" in item.get("Status", "")
        return right and not sick and self.borrowed.holds(name, str(item["Id"]))

    def same(self, item: Mapping[str, Any], name: str) -> bool:
        """Whether a container was made from the definition that is wanted of a service."""
        return bool(item["Labels"].get(HASH_LABEL) == self.aim.services[name]["hash"])

    def stranger(self, item: Mapping[str, Any]) -> bool:
        """Whether no release made a container."""
        return not self.ours(self.layout, item["Labels"])

    def keeps(self, item: Mapping[str, Any]) -> bool:
        """Whether a container keeps data in a volume without a name."""
        facts = self.aim.services.get(item["Labels"].get(SERVICE, ""))
        return handover.keeps_nameless(item, facts)

    def expect(self, owner: Mapping[str, str]) -> dict[str, Expect]:
        """What is asked of new containers; what they need may still be on its way up.

        A service that replaces one whose surroundings stay has no excuse for a restart.
        """
        before = self._before or {}
        return {
            container: Expect(
                self.aim.job(name),
                RESTARTS if self.exchanged or name not in before else 0,
                fresh=container not in before.get(name, set()),
            )
            for container, name in owner.items()
        }

    def ids_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The container ids of services."""
        found = ids(self.engine, self.layout.stack)
        return {name: sorted(found[name]) for name in names}

    def _seen(self, item: Mapping[str, Any], name: str) -> Seen:
        keeps = self.keeps(item)
        # An older manifest does not tell an order that the file named from the default then.
        unsaid = "holds" not in self.aim.services[name]
        return Seen(
            str(item["Id"]),
            running=item["State"] == "running",
            same=self.same(item, name),
            stays=self.wanted(item),
            keeps=keeps,
            alone=keeps or (unsaid and bool(writes_data(of_container(item)))),
            stranger=self.stranger(item),
        )

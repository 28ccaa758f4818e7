"""What a host is brought to: a release on its disk, as its manifest records it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .jobs import Job
from .rules import UPDATE, Rules

if TYPE_CHECKING:
    from ..records import Route, ServiceFacts


@dataclass(frozen=True)
class Aim:
    """``services`` maps names to ``{hash, replicas, exchange}``.

    ``kind`` says whose rules count, `rules.UPDATE` or `rules.ROLLBACK`.
    """

    release: str
    services: Mapping[str, ServiceFacts]
    routes: Sequence[Route] = ()
    kind: str = UPDATE

    def rules(self, name: str) -> Rules:
        """The rules by which a service is exchanged."""
        return Rules.of(self.services[name], self.kind)

    def replicas(self, name: str) -> int:
        """How many containers a service has."""
        return int(self.services[name]["replicas"])

    def job(self, name: str) -> Job | None:
        """The job that a service is, or None."""
        return Job.of(self.services[name])

    def intolerable(
        self,
        owner: Mapping[str, str],
        bad: Mapping[str, str],
        failed: Mapping[str, int] | None = None,
    ) -> dict[str, str]:
        """What is wrong with containers (id to service) and not tolerated by their services' rules.

        ``failed`` counts by service how many were bad so far; where it is left out, those that are
        ``bad`` now are all.
        """
        if failed is None:
            there = [owner[container] for container in bad]
            failed = {name: there.count(name) for name in there}
        return {
            container: why
            for container, why in bad.items()
            if not self.rules(name := owner[container]).tolerates(failed[name], self.replicas(name))
        }

    def asked(self) -> list[Route]:
        """The routes of services that nothing else checks."""
        return [
            route
            for route in self.routes
            if (facts := self.services.get(route["service"])) and facts.get("ask")
        ]

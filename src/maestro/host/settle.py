"""Watch new containers until they have run long enough without a restart.

A health check answers when a service is up; without one nothing tells a service that works from
one that crashes and is started again, but time. All containers of a change are watched at once,
while it goes on with the next services.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import health, life
from .aim import Aim
from .containers import of_stack
from .engine import Engine
from .health import Expect, Looks
from .labels import SERVICE
from .layout import Layout
from .rules import ROLLBACK

WATCH = 10.0  # seconds a container without a health check must run without a restart
WATCH_BACK = 5.0  # the same for a release that served before and serves again
# Seconds any new container must have run before its release is committed.
LEAST = 3.0
# The same for one whose health check succeeds, where its file says how long it is watched, or its
# release served before.
LEAST_KNOWN = 1.0
# A container that is forgiven a restart begins its time anew; after so many times it has failed.
ROUNDS = 4


@dataclass
class _Watched:
    service: str
    looks: Looks
    seconds: float
    until: float

    def through(self, detail: Mapping[str, Any]) -> bool:
        """Whether it has run long enough since it last started, or has done its job."""
        if self.looks.done(detail):
            return True
        state = detail["State"]
        return state["Status"] == "running" and life.age(state) >= self.seconds


@dataclass
class Settling:
    """The new containers of one change that have not yet run long enough."""

    engine: Engine
    watched: dict[str, _Watched] = field(default_factory=dict)

    def add(
        self, owner: Mapping[str, str], expect: Mapping[str, Expect], seconds: Mapping[str, float]
    ) -> None:
        """Watch containers (id to service) for the seconds of their service.

        One with a health check is looked at once more, at the end.
        """
        for container, service in owner.items():
            checked = life.checked(self.engine.inspect(container))
            needs = 0.0 if checked else seconds[service]
            until = time.monotonic() + ROUNDS * needs + health.SETTLED
            looks = Looks(expect.get(container, Expect()))
            self.watched[container] = _Watched(service, looks, needs, until)

    def finish(self, containers: Iterable[str] | None = None) -> dict[str, str]:
        """Wait for all, or for some; what is wrong, by container id. They are watched no more."""
        wanted = set(self.watched if containers is None else containers)
        waiting = {key: item for key, item in self.watched.items() if key in wanted}
        for key in waiting:
            del self.watched[key]
        failed: dict[str, str] = {}
        while waiting:
            for container, item in sorted(waiting.items(), key=lambda found: found[0]):
                detail = self.engine.find(container)
                if not detail:
                    # The change itself removed it: another service took it along.
                    del waiting[container]
                    continue
                why = item.looks.wrong(detail)
                if not why and not item.through(detail) and time.monotonic() > item.until:
                    why = f"did not run for {item.seconds:.0f} s without a restart"
                if why:
                    failed[container] = why
                if why or item.through(detail):
                    del waiting[container]
            if waiting:
                time.sleep(health.POLL)
        return failed


def last_look(layout: Layout, engine: Engine, aim: Aim, since: float) -> None:
    """Look at what was started ``since`` (Unix time) once more, before its release counts.

    Raises `MaestroError` for one that crashed or ended since it was seen healthy, where its rules
    do not tolerate that, and for a service whose containers somebody removed meanwhile.
    """
    watching, services = Settling(engine), aim.services
    owner = {}
    for item in of_stack(engine, layout.stack):
        name, container = str(item["Labels"].get(SERVICE, "")), str(item["Id"])
        if name not in services:
            continue
        detail = engine.inspect(container)
        if life.moment(str(detail["State"]["StartedAt"])) < since:
            continue
        owner[container] = name
        expect = Expect(aim.job(name), restarts=0)
        known = aim.kind == ROLLBACK or aim.rules(name).watch is not None
        least = LEAST_KNOWN if known and life.checked(detail) else LEAST
        until = time.monotonic() + ROUNDS * LEAST
        watching.watched[container] = _Watched(name, Looks(expect), least, until)
    health.raise_first(layout, engine, owner, aim.intolerable(owner, watching.finish()))
    left = {str(item["Labels"].get(SERVICE, "")) for item in of_stack(engine, layout.stack)}
    for name in sorted(set(services) - left):
        if not aim.job(name):
            raise health.failure(layout, engine, name, [], "has no container left")

"""What containers borrow of others: their network, their processes, their mounts.

The Engine binds a borrower to one container, by its id. When that one is replaced, or only
started again, the borrower keeps what is gone, and does not even start any more.
A service's facts in a manifest say from whom: ``borrows`` namespaces, ``volumes_from``, and
``restarts_with``, which is what ``depends_on: {NAME: {restart: true}}`` asks for.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .containers import of_service
from .engine import Engine

NETWORK = "network_mode"
# A key of a Compose file to the key of the Engine's HostConfig.
MODES = {NETWORK: "NetworkMode", "pid": "PidMode", "ipc": "IpcMode"}
VOLUMES = "volumes_from"
_CONTAINER = "container:"


def shares(detail: Mapping[str, Any]) -> dict[str, list[str]]:
    """Ids of the containers that one borrows of, by the key of the file."""
    host = detail.get("HostConfig") or {}
    found = {
        key: [str(host[name]).removeprefix(_CONTAINER)]
        for key, name in MODES.items()
        if str(host.get(name) or "").startswith(_CONTAINER)
    }
    volumes = [str(item).partition(":")[0] for item in host.get("VolumesFrom") or []]
    return {**found, **({VOLUMES: volumes} if volumes else {})}


def moment(text: str) -> float:
    """A time of the Engine's (``2026-01-01T12:00:00.5Z``) as Unix time."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S"))
    return seconds + float(f"0.{fraction or 0}")


@dataclass(frozen=True)
class Borrowed:
    """Who borrows of whom in one release; ``services`` are its manifest's."""

    engine: Engine
    stack: str
    services: Mapping[str, Mapping[str, Any]]

    def borrowers(self, owners: Iterable[str]) -> list[str]:
        """Services that live in a namespace of the owners, and of those in turn; nearest first."""
        found: list[str] = []
        wanted = list(owners)
        while wanted:
            near = [
                name
                for name, facts in sorted(self.services.items())
                if set(facts.get("borrows") or ()) & set(wanted) and name not in found
            ]
            found += near
            wanted = near
        return found

    def holds(self, service: str, container: str) -> bool:
        """Whether all that a container borrows is there: its owners live, and began before it."""
        facts = self.services.get(service) or {}
        owners = [*(facts.get("borrows") or ()), *(facts.get(VOLUMES) or ())]
        if not owners:
            return True
        detail = self.engine.inspect(container)
        there = {
            str(item["Id"]): str(item["State"])
            for name in owners
            for item in of_service(self.engine, self.stack, name)
        }
        for key, ids in shares(detail).items():
            if not set(ids) <= set(there):
                return False
            began = moment(str(detail["State"]["StartedAt"]))
            if key in MODES and any(self._began(owner) > began for owner in ids):
                return False
        return True

    def restarts(self, service: str, exchanged: Iterable[str]) -> bool:
        """Whether a service is to be restarted after those it depends on were exchanged."""
        owners = (self.services.get(service) or {}).get("restarts_with") or ()
        return bool(set(owners) & set(exchanged))

    def _began(self, container: str) -> float:
        return moment(str(self.engine.inspect(container)["State"]["StartedAt"]))

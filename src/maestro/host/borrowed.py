"""What containers borrow of others: their network, their processes, their mounts.

The Engine binds a borrower to one container, by its id. When that one is replaced, or only
started again, the borrower keeps what is gone, and does not even start any more.
A service's facts in a manifest say from whom: ``borrows`` namespaces, ``volumes_from``, and
``restarts_with``, which is what ``depends_on: {NAME: {restart: true}}`` asks for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import MaestroError
from . import lease
from .containers import of_service
from .engine import Engine
from .layout import deployed
from .life import moment

if TYPE_CHECKING:
    from ..records import ServiceFacts

NETWORK = "network_mode"
# A key of a Compose file to the key of the Engine's HostConfig.
MODES = {NETWORK: "NetworkMode", "pid": "PidMode", "ipc": "IpcMode"}
VOLUMES: Final = "volumes_from"
_CONTAINER = "container:"
_NO_OWNER = "non running container"  # the Engine's words in the state of such a container


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


@dataclass(frozen=True)
class Borrowed:
    """Who borrows of whom in one release; ``services`` are its manifest's."""

    engine: Engine
    stack: str
    services: Mapping[str, ServiceFacts]

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
        facts = self.services.get(service)
        owners = [*(facts.get("borrows") or ()), *(facts.get(VOLUMES) or ())] if facts else []
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
        facts = self.services.get(service)
        owners = facts.get("restarts_with") or () if facts else ()
        return bool(set(owners) & set(exchanged))

    def _began(self, container: str) -> float:
        return moment(str(self.engine.inspect(container)["State"]["StartedAt"]))

    def outlived(self) -> Iterator[str]:
        """Containers that borrow of one which was started again after them, owners first.

        One that the Engine could not start because its owner did not run yet is among them, and
        after each of them those that live in it and run now.
        """
        owners = [name for name, facts in self.services.items() if not facts.get("borrows")]
        due: set[str] = set()
        for name in self.borrowers(owners):
            for container in self._of([name]):
                if container in due or self._left_behind(container):
                    due.update(self._of(self.borrowers([name]), "running"))
                    yield container

    def _of(self, services: Iterable[str], state: str = "") -> list[str]:
        return [
            str(item["Id"])
            for name in services
            for item in of_service(self.engine, self.stack, name)
            if state in ("", item["State"])
        ]

    def _left_behind(self, container: str) -> bool:
        detail = self.engine.inspect(container)
        lenders = [
            found["State"]
            for key, ids in shares(detail).items()
            if key in MODES
            for owner in ids
            if (found := self.engine.find(owner))
        ]
        if not lenders or any(state["Status"] != "running" for state in lenders):
            return False
        state = detail["State"]
        if state["Status"] == "running":
            began = max(moment(str(lender["StartedAt"])) for lender in lenders)
            return moment(str(state["StartedAt"])) < began
        return state["Status"] == "exited" and _NO_OWNER in str(state.get("Error") or "")


def repair(root: Path, engine: Engine) -> list[str]:
    """Start again what the Engine left in namespaces that are gone; the containers' ids.

    The Engine starts a container that crashed again without those that live in it. A stack that
    is being changed is left to that change.
    """
    again = []
    for layout in deployed(root):
        # What goes away while it is looked at is nobody's borrower any more.
        with contextlib.suppress(MaestroError):
            services = layout.manifest(layout.current_id()).get("services") or {}
            lent = any(facts.get("borrows") for facts in services.values())
            if not lent or lease.read(layout) is not None:
                continue
            for container in Borrowed(engine, layout.stack, services).outlived():
                if lease.read(layout) is None:
                    engine.restart(container)
                    again.append(container)
    return again

"""Services that live in another one's container: its network, its processes, its mounts.

``network_mode``, ``pid`` and ``ipc: service:NAME``, ``volumes_from``:
https://github.com/compose-spec/compose-spec/blob/main/05-services.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from ..errors import MaestroError
from ..host.borrowed import MODES, NETWORK, VOLUMES

if TYPE_CHECKING:
    from ..records import BorrowedFacts, Service

_SERVICE, _CONTAINER = "service:", "container:"
# How a plan calls what is borrowed.
WORDS = {NETWORK: "network", "pid": "processes", "ipc": "shared memory", VOLUMES: "mounts"}


def namespaces(service: Service) -> dict[str, str]:
    """Whose namespaces a service lives in, by the key that says so."""
    return {
        key: str(service[key]).removeprefix(_SERVICE)
        for key in MODES
        if str(service.get(key) or "").startswith(_SERVICE)
    }


def mounts_of(service: Service) -> list[str]:
    """The services whose mounts a service has as well."""
    entries = [str(entry) for entry in service.get(VOLUMES) or []]
    return [entry.partition(":")[0] for entry in entries if not entry.startswith(_CONTAINER)]


def owners(service: Service) -> set[str]:
    """All services that one cannot be without."""
    return {*namespaces(service).values(), *mounts_of(service)}


def lenders(services: Mapping[str, Service]) -> dict[str, str]:
    """Services in whose namespaces others live, each with what is lent to whom."""
    found: dict[str, str] = {}
    for name, service in sorted(services.items()):
        for key, owner in namespaces(service).items():
            found.setdefault(owner, f"{name} shares its {WORDS[key]}")
    return found


def facts(service: Service) -> BorrowedFacts:
    """What a manifest keeps for the host, see `host.borrowed`; nothing for most services.

    ``service`` is one of a release's file, whose ``depends_on`` has no service it lacks.
    """
    needs = service.get("depends_on") or {}
    found = {
        "borrows": sorted(set(namespaces(service).values())),
        VOLUMES: sorted(set(mounts_of(service))),
        "restarts_with": sorted(
            name for name, need in needs.items() if (need or {}).get("restart")
        ),
    }
    return cast("BorrowedFacts", {key: value for key, value in found.items() if value})


def problems(
    services: Mapping[str, Service], active: Collection[str], stack: str
) -> Iterable[MaestroError]:
    """What cannot be borrowed: of containers that are no service, of services not deployed."""
    for name, service in sorted(services.items()):
        place = f"{stack}/compose.yaml: services.{name}"
        entries = {key: [str(service.get(key) or "")] for key in MODES}
        entries[VOLUMES] = [str(entry) for entry in service.get(VOLUMES) or []]
        for key, values in entries.items():
            for value in values:
                if value.startswith(_CONTAINER):
                    yield MaestroError(
                        f"found {value}: a container that belongs to no service of the stack",
                        where=f"{place}.{key}",
                        fix="make it a service of the stack and write "
                        + ("its name" if key == VOLUMES else "service:NAME"),
                    )
        for entry in service.get("links") or []:
            owner = str(entry).partition(":")[0]
            if owner not in active:
                yield MaestroError(
                    f"has a link to {owner}, which is not deployed",
                    where=f"{place}.links",
                    fix=f"deploy {owner} as well (its profile, its replicas), or remove this line",
                )
        for key, owner in [
            *namespaces(service).items(),
            *((VOLUMES, owner) for owner in mounts_of(service)),
        ]:
            if owner not in active:
                yield MaestroError(
                    f"shares the {WORDS[key]} of {owner}, which is not deployed",
                    where=f"{place}.{key}",
                    fix=f"deploy {owner} as well (its profile, its replicas), or remove this line",
                )

"""The names a stack has on a host, and whose they are already.

Compose joins a container's name by ``-`` and that of a network or a volume by ``_``: ``shop`` with
``api-web`` and ``shop-api`` with ``web`` both have the container ``shop-api-web-1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.neighbours import Neighbour
from ..host.resources import Network, Resources, Volume

if TYPE_CHECKING:
    from ..records import Compose, Extension, Names, Service
    from .records import Fate

# Names of containers that are Maestro's own, see `host.edge_proxy`.
RESERVED = re.compile(r"^maestro-edge(-|\Z)")
_NUMBER = re.compile(r"-[0-9]+\Z")
KINDS = {"volume": "volumes", "network": "networks"}


@dataclass(frozen=True)
class Named:
    """The containers of one service: all of one fixed name, or ``STACK-SERVICE-NUMBER``."""

    stack: str
    service: str
    fixed: str = ""

    @property
    def base(self) -> str:
        """What stands before the number."""
        return f"{self.stack}-{self.service}"

    @property
    def shown(self) -> str:
        """A name of one of its containers."""
        return self.fixed or f"{self.base}-1"

    def meets(self, other: Named) -> bool:
        """Whether a container of both could have one name."""
        if self.fixed and other.fixed:
            return self.fixed == other.fixed
        if self.fixed or other.fixed:
            return self.is_called(other.fixed) or other.is_called(self.fixed)
        return self.base == other.base

    def is_called(self, name: str) -> bool:
        """Whether one of its containers could have this name."""
        if not name:
            return False
        return (
            name == self.fixed
            if self.fixed
            else _NUMBER.sub("", name, count=1) == self.base != name
        )


def recorded(stack: str, compose: Compose, extension: Extension) -> Names:
    """What a release's manifest keeps, so that other stacks can be compared with it.

    ``compose`` is the release's own file.
    """
    share = extension.get("share") or {}
    return {
        "containers": {
            service.service: service.fixed for service in _named(stack, compose) if service.fixed
        },
        "volumes": _own(compose, "volumes"),
        "networks": _own(compose, "networks"),
        "share": {
            "volumes": _called(compose, "volumes", share),
            "networks": _called(compose, "networks", share),
        },
    }


def _own(compose: Compose, plural: str) -> list[str]:
    return sorted(name for name, external in _defined(compose, plural) if not external)


def _called(compose: Compose, plural: str, share: Extension) -> list[str]:
    """Names on the host of what is shared."""
    defined, keys = compose.get(plural) or {}, share.get(plural) or []
    return sorted(str((defined.get(key) or {}).get("name") or key) for key in keys)


def problems(
    host: str,
    stack: str,
    compose: Compose,
    neighbours: Mapping[str, Neighbour],
    there: Resources,
) -> list[MaestroError]:
    """Names of the stack that meet another owner's on this host, each with both owners.

    ``compose`` is the release's own file; ``there`` what the host's Engine has.
    """
    return [
        *_containers(host, stack, compose, neighbours, there),
        *_owned(host, stack, compose, neighbours, there),
    ]


def warnings(
    stack: str,
    compose: Compose,
    neighbours: Mapping[str, Neighbour],
    there: Resources,
) -> list[str]:
    """What the stack uses that a project has made which is no stack of Maestro's."""
    return [
        f"the {kind} {name} belongs to the project {found.project}, which Maestro does not deploy"
        for kind, plural in KINDS.items()
        for name, external in _defined(compose, plural)
        if external
        and (found := _there(there, kind).get(name))
        and found.project not in ("", stack, *neighbours)
    ]


def _containers(
    host: str,
    stack: str,
    compose: Compose,
    neighbours: Mapping[str, Neighbour],
    there: Resources,
) -> Iterator[MaestroError]:
    ours = list(_named(stack, compose))
    everyone = [
        *ours,
        *(
            Named(other, service, fixed)
            for other, found in sorted(neighbours.items())
            for service, fixed in sorted(found.containers.items())
        ),
    ]
    for number, mine in enumerate(ours):
        where = f"{host}: services.{mine.service}"
        if RESERVED.match(mine.fixed):
            yield MaestroError(
                f"the container name {mine.fixed} is the edge's own",
                where=where,
                fix="remove container_name, or choose another name",
            )
        met = [item for item in everyone[number + 1 :] if mine.meets(item)]
        yield from (
            MaestroError(
                f"containers of the service {mine.service} of {stack} and of {item.service} of "
                f"{item.stack} would have one name: {_one(mine, item)}",
                where=where,
                fix="rename one of the services or stacks, or set container_name of one",
            )
            for item in met
        )
        if not met:
            yield from (
                MaestroError(
                    f"the container name {use.container} of the service {mine.service} of {stack} "
                    f"is taken by {_owner(use.project, use.service)}",
                    where=where,
                    fix="rename one of them, or remove the other container",
                )
                for use in there.uses
                if use.project != stack and mine.is_called(use.container)
            )


def published(service: Service) -> set[str]:
    """``PORT/PROTOCOL`` a service publishes on its host."""
    return {
        f"{port['published']}/{port.get('protocol', 'tcp')}"
        for port in service.get("ports") or []
        if port.get("published")
    }


def _one(mine: Named, other: Named) -> str:
    return other.fixed or mine.shown


def _owner(project: str, service: str) -> str:
    return f"{service} of the project {project}" if project else "a container made by hand"


def _owned(
    host: str,
    stack: str,
    compose: Compose,
    neighbours: Mapping[str, Neighbour],
    there: Resources,
) -> Iterator[MaestroError]:
    """Volumes and networks that are another's, and are not shared by both files."""
    for kind, plural in KINDS.items():
        engine = _there(there, kind)
        for name, external in _defined(compose, plural):
            owner = engine[name].project if name in engine else _recorded(name, plural, neighbours)
            if owner in ("", stack):
                continue
            where = f"{host}: {stack}: {plural}"
            found = neighbours.get(owner)
            shared = name in (getattr(found, f"shared_{plural}") if found else ())
            if not external:
                yield MaestroError(
                    f"the {kind} {name} of {stack} is the {kind} of {owner} already",
                    where=where,
                    fix=f"give it another name; to use that of {owner}, set `external: true` here "
                    f"and x-maestro.share.{plural} in {owner}",
                )
            elif found and not shared:
                yield MaestroError(
                    f"the {kind} {name} belongs to the stack {owner}, which does not share it with "
                    f"{stack}",
                    where=where,
                    fix=f"name it in x-maestro.share.{plural} of {owner} and deploy {owner}, "
                    f"or give {stack} a {kind} of its own",
                )


def _recorded(name: str, plural: str, neighbours: Mapping[str, Neighbour]) -> str:
    return next(
        (other for other, found in sorted(neighbours.items()) if name in getattr(found, plural)),
        "",
    )


def _there(there: Resources, kind: str) -> Mapping[str, Volume | Network]:
    found: Mapping[str, Volume | Network]
    found = there.volumes if kind == "volume" else there.networks
    return found


def _named(stack: str, compose: Compose) -> Iterator[Named]:
    for name, service in sorted(compose["services"].items()):
        yield Named(stack, name, str(service.get("container_name") or ""))


def _defined(compose: Compose, plural: str) -> Iterable[tuple[str, bool]]:
    """Name on the host and whether it is external, of each that a service uses."""
    for key, item in sorted((compose.get(plural) or {}).items()):
        yield str((item or {}).get("name") or key), bool((item or {}).get("external"))


def share_changes(before: Names, after: Names) -> dict[str, Fate]:
    """What is shared with other stacks from now on, or no longer, by its kind and name."""
    old, new = (_shared(item) for item in (before, after))
    return {name: "shared" if name in new else "no longer shared" for name in sorted(old ^ new)}


def _shared(recorded_names: Names) -> set[str]:
    share = recorded_names.get("share") or {}
    return {
        *(f"volume {name}" for name in share.get("volumes") or []),
        *(f"network {name}" for name in share.get("networks") or []),
    }


def unknown_shares(stack: str, share: Extension, compose: Compose) -> Iterator[MaestroError]:
    """Shared volumes and networks that no service of the stack uses."""
    for plural in KINDS.values():
        known = sorted(
            key
            for key, item in (compose.get(plural) or {}).items()
            if not (item or {}).get("external")
        )
        for key in share.get(plural) or []:
            if key not in known:
                yield MaestroError(
                    f"found {key}, which no service uses and the stack does not own",
                    where=f"{stack}/compose.yaml: x-maestro.share.{plural}",
                    fix=f"allowed: {', '.join(known) or 'none'}",
                )

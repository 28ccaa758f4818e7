"""The data a service keeps: what a release's manifest records of it, see `host.holds`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host import holds
from ..host.holds import Hold
from ..host.rules import START_FIRST

if TYPE_CHECKING:
    from ..records import Compose, Extension, Image, KeptFacts, Service


@dataclass(frozen=True)
class Kept:
    """``nameless`` are paths of volumes without a name, apart from those the file throws away.

    ``throw_away`` are the paths that the file calls so, ``order`` is what it says of the
    service's own order, empty where it says nothing.
    """

    holds: tuple[Hold, ...] = ()
    nameless: tuple[str, ...] = ()
    throw_away: tuple[str, ...] = ()
    order: str = ""

    def as_facts(self) -> KeptFacts:
        """As a manifest records it, beside what else it records of the service."""
        return {
            "holds": holds.dump(self.holds),
            "nameless": list(self.nameless),
            "throw_away": list(self.throw_away),
            "order": self.order,
        }

    @classmethod
    def of_facts(cls, facts: KeptFacts) -> Kept:
        """As a manifest recorded it; an older one recorded nothing."""
        return cls(
            holds.load(facts.get("holds") or ()),
            tuple(facts.get("nameless") or ()),
            tuple(facts.get("throw_away") or ()),
            str(facts.get("order") or ""),
        )

    @property
    def beside(self) -> bool:
        """Whether the file wants its new containers beside what runs, with the same data."""
        return self.order == START_FIRST

    @property
    def alone(self) -> str:
        """Why a second container beside the first could lose data; empty when it could not."""
        written = holds.writes_data(self.holds)
        if written:
            return f"writes the {written[0]}"
        if self.nameless:
            return f"keeps {self.nameless[0]} in a volume without a name"
        return ""


@dataclass(frozen=True)
class Reading:
    """Where it is read: Compose's ``model``, ``images`` by reference, ``extension`` (x-maestro)."""

    model: Compose
    images: Mapping[str, Image]
    extension: Extension = field(default_factory=dict)


def kept(name: str, reading: Reading) -> Kept:
    """What a service of the model keeps."""
    service = reading.model["services"][name]
    thrown = (reading.extension.get("throw_away") or {}).get(name) or []
    throw_away = tuple(sorted({posixpath.normpath(str(path)) for path in thrown}))
    update = (service.get("deploy") or {}).get("update_config") or {}
    return Kept(
        tuple(holds.of_service(service, reading.model, name=name)),
        tuple(sorted(_nameless(name, reading, frozenset()) - set(throw_away))),
        throw_away,
        str(update.get("order") or ""),
    )


def _nameless(name: str, reading: Reading, seen: frozenset[str]) -> set[str]:
    """Paths at which the Engine makes a volume of its own for a service."""
    service = reading.model["services"].get(name) or {}
    image = reading.images.get(str(service.get("image")))
    wanted = image.get("volumes") or () if image else ()
    mounts = service.get("volumes") or []
    own = {
        posixpath.normpath(str(mount["target"]))
        for mount in mounts
        if mount.get("type") == "volume" and not mount.get("source")
    }
    asked = {posixpath.normpath(str(path)) for path in wanted}
    return own | (asked - set(_covered(name, reading, seen)))


def _covered(name: str, reading: Reading, seen: frozenset[str]) -> Iterable[str]:
    """Paths of a service at which something is mounted, so that its image gets no volume there."""
    if name in seen or name not in reading.model["services"]:
        return
    service = reading.model["services"][name]
    for key in ("volumes", "configs", "secrets"):
        for mount in service.get(key) or []:
            yield posixpath.normpath(str(mount.get("target") or ""))
    tmpfs = service.get("tmpfs") or []
    for entry in [tmpfs] if isinstance(tmpfs, str) else tmpfs:
        yield posixpath.normpath(str(entry).partition(":")[0])
    for entry in service.get("volumes_from") or []:
        other = str(entry).partition(":")[0]
        yield from _covered(other, reading, seen | {name})
        if other in reading.model["services"] and other not in seen:
            yield from _nameless(other, reading, seen | {name})


def problems(services: Mapping[str, Service], stack: str) -> Iterable[MaestroError]:
    """Mounts that the Engine refuses, which it says after what ran has been stopped."""
    for name, service in sorted(services.items()):
        for mount in service.get("volumes") or []:
            target = str(mount.get("target") or "")
            if target and not target.startswith("/"):
                yield MaestroError(
                    f"{target} is not a path in a container: it does not begin with /",
                    where=f"{stack}/compose.yaml: services.{name}.volumes",
                    fix="write VOLUME:/PATH; the name of a volume has two letters or more, "
                    "because Compose takes one letter for a drive",
                )

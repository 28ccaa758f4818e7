"""What the services of a plan keep: all that its data is judged by, and how a mount is called."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..host import holds
from ..release.render import Rendered
from ..stack.data import Kept
from . import records

if TYPE_CHECKING:
    from ..records import Compose, Mount, Service, Serving

ACCEPT = "-e accept_volume_change=true"
# Actions by which a service gets containers that were not running.
_COMES = (records.CREATE, records.REPLACE, records.START, records.SCALE)


@dataclass(frozen=True)
class View:
    """A host's plan with all it is judged by; ``back`` where it goes back to a release."""

    plan: records.Plan
    rendered: Rendered
    state: Serving
    routed: frozenset[str] = frozenset()
    back: bool = False

    def kept(self, name: str) -> Kept:
        """What a service of the release to come keeps, links of the host resolved."""
        paths = {posixpath.normpath(k): v for k, v in (self.state.get("paths") or {}).items()}
        found = Kept.of_facts(self.rendered.services[name])
        resolved = tuple(
            holds.real(hold, lambda path: paths.get(path, path)) for hold in found.holds
        )
        return Kept(resolved, found.nameless, found.throw_away, found.order)

    def all_kept(self) -> dict[str, Kept]:
        """That of every service."""
        return {name: self.kept(name) for name in self.rendered.services}

    def coming(self) -> list[records.Step]:
        """The steps that start containers."""
        return [step for step in self.plan.steps if step.action in _COMES]

    def where(self, service: str) -> str:
        """Where a problem with a service's data is."""
        return f"{self.plan.host}: services.{service}.volumes"


def is_path(shown: str) -> bool:
    """Whether it is a path of the host, as `volume_of` calls it."""
    return shown.startswith("bind ")


def by_target(service: Service) -> dict[str, Mount]:
    """Its mounts, and paths in memory, by where they are."""
    mounts = {target_of(mount): mount for mount in service.get("volumes") or []}
    tmpfs = service.get("tmpfs") or []
    paths = [tmpfs] if isinstance(tmpfs, str) else tmpfs
    in_memory = {posixpath.normpath(str(path).partition(":")[0]) for path in paths}
    return {**{path: {"type": "tmpfs"} for path in in_memory}, **mounts}


def target_of(mount: Mount) -> str:
    """Where it is mounted; ``/data/`` is ``/data``."""
    return posixpath.normpath(str(mount.get("target")))


def data_of(service: Service, compose: Compose) -> dict[str, str]:
    """The named volumes and the paths that a service writes, by where they are mounted."""
    return {
        target_of(mount): volume_of(mount, compose)
        for mount in service.get("volumes") or []
        if mount.get("source")
        and (mount.get("type") == "volume" or (mount.get("type") == "bind" and _written(mount)))
    }


def _written(mount: Mount) -> bool:
    """Whether a mounted path of the host holds data of the service."""
    return any(hold.writes for hold in holds.mounted({"volumes": [mount]}, {}))


def volume_of(mount: Mount, compose: Compose) -> str:
    """The name of a mount's volume on the host, or what else is mounted."""
    source = str(mount.get("source") or "")
    if mount.get("type") != "volume":
        return f"{mount.get('type')} {source}".strip()
    defined = (compose.get("volumes") or {}).get(source) or {}
    if not source:
        return "a new volume without a name"
    return f"volume {defined.get('name') or source}"

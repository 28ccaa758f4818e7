"""The other stacks of this host: what they are called by, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, cast

from ..errors import MaestroError
from .layout import Layout, deployed

if TYPE_CHECKING:
    from ..records import Manifest, NeighbourFacts, Serving


@dataclass(frozen=True)
class Neighbour:
    """One other stack, by the manifest of the running release.

    ``containers`` maps its services to the names its file gives their containers, empty where
    it gives none. ``volumes`` and ``networks`` are names on the host; ``shared_volumes`` and
    ``shared_networks`` those of them that other stacks may use.
    """

    containers: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    shared_volumes: tuple[str, ...] = ()
    shared_networks: tuple[str, ...] = ()


def read(layout: Layout) -> dict[str, NeighbourFacts]:
    """Every other stack that serves below the same root, by its name."""
    found: dict[str, NeighbourFacts] = {}
    for other in deployed(layout.root):
        if other.stack == layout.stack:
            continue
        try:
            manifest = other.manifest(other.current_id())
        except MaestroError:
            # Damaged: what it has on the Engine still is there to be compared with.
            continue
        found[other.stack] = cast("NeighbourFacts", asdict(_neighbour(manifest)))
    return found


def of(state: Serving) -> dict[str, Neighbour]:
    """What a host's answer says under ``neighbours``."""
    return {
        name: Neighbour(
            dict(item["containers"]),
            *(
                tuple(item[key])
                for key in ("volumes", "networks", "shared_volumes", "shared_networks")
            ),
        )
        for name, item in (state.get("neighbours") or {}).items()
    }


def _neighbour(manifest: Manifest) -> Neighbour:
    names = manifest.get("names") or {}
    share = names.get("share") or {}
    fixed = names.get("containers") or {}
    services = [*(manifest.get("services") or {}), *(manifest.get("migrations") or {})]
    return Neighbour(
        {service: str(fixed.get(service, "")) for service in services},
        tuple(names.get("volumes") or ()),
        tuple(names.get("networks") or ()),
        tuple(share.get("volumes") or ()),
        tuple(share.get("networks") or ()),
    )

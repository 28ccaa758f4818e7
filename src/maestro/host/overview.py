"""What a host runs, and what somebody changed about it by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import edge, folder, history, reach, userns
from .drift import facts
from .edge_proxy import NAME as EDGE
from .edge_proxy import of_host
from .engine import Engine, Gone
from .files import digests
from .labels import ONE_OFF, PROJECT, SERVICE
from .layout import Layout, deployed
from .runtime import Looker
from .state import facts_of
from .watchdog_memory import Memory

if TYPE_CHECKING:
    from ..records import Container, EdgeContainer, HostOverview, Manifest, Overview


def read(layout: Layout, engine: Engine | None = None, looker: Looker | None = None) -> Overview:
    """The answer of `history.read`, and how every container and file is now.

    Each container has ``facts`` (see `drift.facts`), with a ``looker`` its ``runtime``, and where
    it was unhealthy lately ``watchdog``.
    ``edited_configs`` are names of changed configuration files.
    """
    engine = engine or Engine()
    found = history.read(layout, engine=engine)
    found["containers"] += _strays(layout, engine, {item["id"] for item in found["containers"]})
    watched = Memory().entries
    for container in list(found["containers"]):
        entry = watched.get(container["name"])
        if entry and entry.id == container["id"]:
            container["watchdog"] = {"restarts": len(entry.restarts), "until": entry.left_until}
        try:
            container["facts"] = facts(engine, container["id"])
            if looker:
                container["runtime"] = looker.facts(container["id"])
        except Gone:
            found["containers"].remove(container)
    return {
        **found,
        "edited_configs": _edited_configs(layout, found["release"], userns.Remap.of(found)),
        "maintenance": edge.under_maintenance(layout),
    }


def everything(
    root: Path, engine: Engine | None = None, looker: Looker | None = None
) -> HostOverview:
    """All stacks of the host, and whether what it offers can be reached.

    ``stacks`` maps names to what `read` answers, ``strangers`` projects of Compose that no release
    made to their number of containers, ``unreachable`` lists what does not answer. With a
    ``looker`` there is ``edge`` too: the container of the edge, as in `read`.
    """
    engine = engine or Engine()
    names = [layout.stack for layout in deployed(root)]
    strangers: dict[str, int] = {}
    for item in engine.containers(PROJECT):
        project = str(item["Labels"][PROJECT])
        # The image of the edge may have been built by Compose, and has its labels then.
        if project not in names and not item["Names"][0].startswith(f"/{EDGE}"):
            strangers[project] = strangers.get(project, 0) + 1
    found: HostOverview = {
        "stacks": {name: read(Layout(root, name), engine, looker) for name in names},
        "strangers": strangers,
        "silent": reach.problems(engine),
    }
    if looker:
        found["edge"] = {"containers": list(_edges(engine, looker))}
    return found


def _edges(engine: Engine, looker: Looker) -> Iterable[EdgeContainer]:
    for item in of_host(engine):
        yield {"service": "edge", "runtime": looker.facts(str(item["Id"]))}


def _strays(layout: Layout, engine: Engine, known: Collection[str]) -> list[Container]:
    """Containers that somebody gave the labels of a service, though Compose did not make them.

    What merely runs an image that Compose built has that image's labels, and is none.
    """
    strays = (
        item
        for item in engine.containers(f"{PROJECT}={layout.stack}")
        if item["Id"] not in known
        and item["Labels"].get(ONE_OFF, "False") != "True"
        and _built(engine, item).get(SERVICE) != item["Labels"].get(SERVICE, "")
    )
    return facts_of(engine, strays)


def _built(engine: Engine, item: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of a container's image."""
    config = engine.image(str(item["ImageID"])).get("Config") or {}
    return config.get("Labels") or {}


def _edited_configs(layout: Layout, manifest: Manifest, remap: userns.Remap) -> list[str]:
    """Configuration files that are not any more what their name says."""
    edited = set()
    for name, digest in digests(manifest.get("configs", {})):
        try:
            found = folder.on_disk(layout.configs / name / digest, remap).named(digest)
        except OSError:
            found = None
        if not found:
            edited.add(name)
    return sorted(edited)

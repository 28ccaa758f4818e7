"""What a host runs and what it can go back to, without Compose, a registry or a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import edge, jobs, lease, links, neighbours, recovery, resources, secrets, userns
from .containers import of_stack
from .engine import Engine
from .holds import behind
from .holds import of_others as others
from .layout import AGENT, Layout
from .release import committed
from .secret_files import is_file
from .state import checksum, facts_of

if TYPE_CHECKING:
    from ..records import History, Manifest, Summary


def read(
    layout: Layout,
    to: str = "",
    *,
    values: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> History:
    """The running release, the one to go back to, and all that is kept; changes nothing.

    ``to`` is an id, by default the release before the one that serves. ``values`` are secrets to
    look up among the versions the serving release uses.
    """
    engine = engine or Engine()
    current = layout.current_id()
    manifest = layout.manifest(current) if current else {}
    kept = committed(layout)
    target = to or str(manifest.get("previous", ""))
    recorded = manifest.get("secrets", {})
    volumes = engine.volumes()
    everyone = behind(engine.containers(), volumes)
    there = of_stack(engine, layout.stack, everyone)
    return {
        "release": {"id": current, **manifest} if current else {},
        "target": {"id": target, **kept[target]} if target in kept else {},
        "compose": layout.compose_text(current) if current in kept else "",
        "target_compose": layout.compose_text(target) if target in kept else "",
        "releases": {release: _summary(layout, kept[release]) for release in sorted(kept)},
        "containers": facts_of(engine, there, layout),
        "done": jobs.remembered(layout),
        "others": others(everyone, layout.stack),
        "paths": links.recorded(manifest) | links.recorded(kept.get(target, {})),
        "resources": resources.read(engine, everyone, volumes).as_dict(),
        "images": sorted(engine.repo_digests()),
        "edge": edge.look(layout),
        "neighbours": neighbours.read(layout),
        "versions": _versions(layout),
        "userns": userns.here(engine).as_json(),
        "lease": lease.describe(layout),
        "recovery": recovery.describe(layout),
        "agent": checksum(AGENT),
        "secrets": {
            name: secrets.version_of(layout, name, value, str(recorded.get(name, "")))
            for name, value in (values or {}).items()
        },
    }


def _summary(layout: Layout, manifest: Manifest) -> Summary:
    """What a choice among releases needs to know of each."""
    return {
        "id": str(manifest["id"]),
        "version": manifest.get("version", ""),
        "created": manifest.get("created", ""),
        "by": manifest.get("by", ""),
        "previous": manifest.get("previous", ""),
        "secrets": manifest.get("secrets") or {},
        "migrated": manifest.get("migrated") or [],
        "breaking": manifest.get("breaking") or [],
        "images": sorted({str(item["image"]) for item in manifest["services"].values()}),
        "whole": layout.compose_file(str(manifest["id"])).exists(),
    }


def _versions(layout: Layout) -> dict[str, dict[str, list[str]]]:
    """``{name: {version: [owner, ...]}}`` of every secret file, see `SecretFile.owner`."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(layout.secrets.glob("*/*/*")):
        if is_file(path.name):
            versions = found.setdefault(path.parent.parent.name, {})
            versions.setdefault(path.parent.name, []).append(path.name)
    return found

"""Containers of a stack's Compose project that no release of Maestro made.

Somebody ran `docker compose -p NAME up` by hand, or another directory's file has the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import lease
from .containers import made_by_compose
from .engine import Engine
from .labels import CONFIG_FILES, HASH_LABEL, ONE_OFF, PROJECT, SERVICE, WORKING_DIRECTORY
from .layout import Layout

if TYPE_CHECKING:
    from ..records import Foreign

Ours = Callable[[Layout, Mapping[str, str]], bool]
_NAMESPACES = ("NetworkMode", "PidMode", "IpcMode")


def made_here(layout: Layout, labels: Mapping[str, str]) -> bool:
    """Whether a release of this stack made a container with these labels.

    Our own label says so, and Compose's word that it read the file of one of our releases: a
    file by somebody else may hold the first, and cannot hold the second. Where no release serves,
    only what a first deploy is bringing was made here: of anything else the record is lost, so
    that nobody could bring it back.
    """
    if not labelled(layout, labels):
        return False
    files = _files(labels)
    if not files or layout.current_id():
        return True
    return any(_comes(layout, file.parent) for file in files)


def labelled(layout: Layout, labels: Mapping[str, str]) -> bool:
    """The same by the labels alone, also where the record of the release is lost."""
    return bool(labels.get(HASH_LABEL)) and all(
        file.is_relative_to(layout.releases) or file.parent == layout.current
        for file in _files(labels)
    )


def _files(labels: Mapping[str, str]) -> list[Path]:
    return [Path(name) for name in labels.get(CONFIG_FILES, "").split(",") if name]


def _comes(layout: Layout, release: Path) -> bool:
    """Whether a first deploy brings the release that lies there, or began to commit it."""
    if not release.is_dir() or release.name in ("current", layout.linked_id()):
        return False
    held = lease.read(layout)
    committed = (release / "release.json").exists()
    return not committed or bool(held and held.release == release.name)


def services(engine: Engine, layout: Layout) -> set[str]:
    """The services they are containers of, those of `docker compose run` left out."""
    return {
        str(item["Labels"].get(SERVICE, "")) for item in among(engine, layout) if not one_off(item)
    }


def among(engine: Engine, layout: Layout, ours: Ours = made_here) -> list[dict[str, Any]]:
    """Summaries of all of them, running or not, those of `docker compose run` included.

    ``ours`` tells which are none of them.
    """
    return [
        item
        for item in engine.containers(f"{PROJECT}={layout.stack}")
        if made_by_compose(item["Labels"]) and not ours(layout, item["Labels"])
    ]


def facts(layout: Layout, summary: Mapping[str, Any], detail: Mapping[str, Any]) -> Foreign | None:
    """What a plan needs to know of one, beside what it knows of all; None for one of ours.

    ``made_from`` is a directory, or empty. ``volumes`` maps paths to the names of volumes, which
    are empty for those without a name, or to paths of the host; ``borrows`` are ids of
    containers whose namespaces it uses.
    """
    labels = summary["Labels"]
    if made_here(layout, labels):
        return None
    host = detail.get("HostConfig") or {}
    return {
        "made_from": labels.get(WORKING_DIRECTORY, ""),
        "volumes": volumes(detail),
        "borrows": [
            str(host.get(kind)).partition(":")[2]
            for kind in _NAMESPACES
            if str(host.get(kind) or "").startswith("container:")
        ],
        "ports": sorted(
            {
                f"{port['PublicPort']}/{port['Type']}"
                for port in summary.get("Ports") or []
                if port.get("PublicPort")
            }
        ),
    }


def volumes(detail: Mapping[str, Any]) -> dict[str, str]:
    """What is mounted where; a volume that was given no name has 64 hexadecimal digits for one."""
    found = {}
    for mount in detail.get("Mounts") or []:
        name = str(mount.get("Name") or mount.get("Source") or "")
        unnamed = (
            mount.get("Type") == "volume" and len(name) == 64 and not name.strip("0123456789abcdef")
        )
        found[str(mount.get("Destination"))] = "" if unnamed else name
    return found


def one_off(summary: Mapping[str, Any]) -> bool:
    """Whether `docker compose run` made it."""
    return bool(summary["Labels"].get(ONE_OFF, "False") == "True")

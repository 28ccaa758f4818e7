"""Mounts of what lies beside the stack's directory: no host has it.

In Compose's own reading such a path is an absolute one, so they are looked for before it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from ..errors import MaestroError
from .compose_tree import Tree
from .development import ENVIRONMENT


def problems(tree: Tree, stack: str, environment: str) -> Iterable[MaestroError]:
    """Each such mount of a stack's files."""
    for part in tree.parts:
        for name, service in part.services.items():
            mounts = service.get("volumes")
            for number, mount in enumerate(mounts if isinstance(mounts, list) else []):
                where = f"{stack}/{part.path}: services.{name}.volumes[{number}]"
                source = mount.get("source") if isinstance(mount, dict) else mount
                source = _first_of_mount(part.filled(source or "") or "")
                # Elsewhere the policy says so, with what to write.
                if source.startswith("~") and environment == ENVIRONMENT:
                    yield MaestroError(
                        f"found {source}: a host has no home directory of yours",
                        where=where,
                        fix="allowed: named volumes and absolute paths",
                    )
                elif source and _climbs(part.home, source):
                    yield MaestroError(
                        f"found {source}: a mount from outside the stack's directory",
                        where=where,
                        fix="allowed: named volumes and absolute paths",
                    )


def _first_of_mount(mount: str) -> str:
    return mount.partition(":")[0]


def _climbs(home: str, source: str) -> bool:
    return posixpath.normpath(posixpath.join(home, source)).split("/")[0] == ".."

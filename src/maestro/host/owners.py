"""Owners of a stack's files after the Engine's user namespaces were switched on or off.

The names of secrets and configs tell the container's numbers, so every release that is kept can
be read again under the new ones.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import MaestroError
from . import userns
from .files import File
from .layout import Layout
from .secret_files import SecretFile, is_file
from .userns import OFF, Ids, Remap


def put_right(layout: Layout, remap: Remap, etc: Path = userns.ETC) -> list[str]:
    """Give each file the owner that its reader has now; the paths of those that had another.

    A file of an older release whose reader has no number on this host stays as it is: a release
    that needs it is refused in its plan.
    """
    changed = []
    meant: list[tuple[Path, SecretFile | File]] = [
        *_secrets(layout),
        *_configs(layout, remap, etc),
    ]
    for path, file in meant:
        with contextlib.suppress(MaestroError):
            owner = remap.owner(file.uid, file.group, host=file.host)
            found = path.stat()
            if (found.st_uid, found.st_gid) != owner:
                os.chown(path, *owner)
                changed.append(str(path))
    return changed


def _secrets(layout: Layout) -> Iterator[tuple[Path, SecretFile]]:
    for path in sorted(layout.secrets.glob("*/*/*")):
        if is_file(path.name):
            yield path, SecretFile.at(str(path))


def _configs(layout: Layout, remap: Remap, etc: Path) -> Iterator[tuple[Path, File]]:
    """A config is named by content, mode and owner: the owner that gives the name was meant."""
    known = (OFF, remap, *_before(etc))
    for path in sorted(layout.configs.glob("*/*")):
        read = (File.on_disk(path, one).named(path.name) for one in known)
        meant = next((file for file in read if file), None)
        if meant:
            yield path, meant


def _before(etc: Path) -> list[Remap]:
    """What an Engine may have done before: every range that the host has for such uses."""
    gids = {name: (first, many) for name, first, many in userns.subordinate(etc / "subgid")}
    return [
        Remap(Ids(((first, many),)), Ids((gids[name],)))
        for name, first, many in userns.subordinate(etc / "subuid")
        if name in gids
    ]

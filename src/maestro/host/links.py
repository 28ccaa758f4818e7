"""What a stack mounts of the host, as it is without symbolic links."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .holds import PATH

if TYPE_CHECKING:
    from ..records import Compose, Manifest


def real(model: Compose) -> dict[str, str]:
    """Absolute paths the model mounts, with what they are, where that is another path."""
    return _real(_mounted(model))


def missing(model: Compose) -> list[str]:
    """Absolute paths the model mounts and that are not there."""
    return sorted({path for path in _mounted(model) if not os.path.exists(path)})


def recorded(manifest: Manifest) -> dict[str, str]:
    """The same of a release by its manifest; an older one does not tell what it mounts."""
    return _real(
        str(hold["name"])
        for facts in (manifest.get("services") or {}).values()
        for hold in facts.get("holds") or ()
        if hold["kind"] == PATH
    )


def _real(paths: Iterable[str]) -> dict[str, str]:
    found = {}
    for path in paths:
        target = os.path.realpath(path)
        if target != os.path.normpath(path):
            found[path] = target
    return found


def _mounted(model: Compose) -> Iterator[str]:
    for service in (model.get("services") or {}).values():
        for mount in service.get("volumes") or []:
            if mount.get("type") == "bind" and os.path.isabs(str(mount.get("source", ""))):
                yield str(mount["source"])
    for volume in (model.get("volumes") or {}).values():
        options = (volume or {}).get("driver_opts") or {}
        said = [str(options.get("device", "")).strip()]
        for item in str(options.get("o", "")).split(","):
            said += item.partition("=")[2].strip().split(":")
        yield from (path for path in said if os.path.isabs(path))

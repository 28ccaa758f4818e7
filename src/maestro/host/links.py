"""What a stack mounts of the host, as it is without symbolic links."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any


def real(model: Mapping[str, Any]) -> dict[str, str]:
    """Absolute paths the model mounts, with what they are, where that is another path."""
    found = {}
    for path in _mounted(model):
        target = os.path.realpath(path)
        if target != os.path.normpath(path):
            found[path] = target
    return found


def _mounted(model: Mapping[str, Any]) -> Iterator[str]:
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

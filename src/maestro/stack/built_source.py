"""Source code that is mounted over what an image was built from: for whoever develops it.

A public sample often mounts the directory that it builds from, so that a change is seen at once.
On a host the image is deployed, with its own copy: the mount is left out, and the plan says so.
What could be a service's data, or anything without a build of its own, stays refused.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .development import FILE
from .program_text import ALONE

if TYPE_CHECKING:
    from ..records import Compose, Mount, Service


def left_out(model: Compose, code: Mapping[str, str]) -> tuple[Compose, list[str]]:
    """The model without these mounts, and what the plan says of each.

    ``code`` says of paths that are mounted what `program_text.kind` found there.
    """
    services, said = {}, []
    for name, service in sorted(model["services"].items()):
        mounts = service.get("volumes") or []
        over = [number for number, mount in enumerate(mounts) if _is_source(mount, service, code)]
        targets = [str(mounts[number].get("target", "")) for number in over]
        kept = [
            mount
            for number, mount in enumerate(mounts)
            if number not in over and not _only_beside(mount, targets)
        ]
        services[name] = {**service, "volumes": kept} if over else service
        said += [
            f"services.{name}.volumes[{number}]: {mounts[number]['source']} is source code that "
            f"the image is built from: it is not mounted, {mounts[number]['target']} is the "
            f"image's own, and what {name} writes there goes with its container; a mount for "
            f"development belongs into {FILE}"
            for number in over
        ]
    return {**model, "services": services}, said


def _is_source(mount: Mount, service: Service, code: Mapping[str, str]) -> bool:
    """A mount that can be written of what the service's image is built from."""
    source, build = str(mount.get("source") or ""), service.get("build")
    context = build.get("context") if isinstance(build, Mapping) else None
    if mount.get("type") != "bind" or mount.get("read_only") or context is None:
        return False
    if posixpath.isabs(source) or posixpath.isabs(str(context)) or "://" in str(context):
        return False
    path, base = posixpath.normpath(source), posixpath.normpath(str(context))
    if _below(base, path):
        return path in code
    return _below(path, base) and code.get(path) == ALONE


def _only_beside(mount: Mount, targets: Collection[str]) -> bool:
    """A volume without a name that hides a part of that source, such as ``node_modules``."""
    if mount.get("type") != "volume" or mount.get("source"):
        return False
    own = posixpath.normpath(str(mount.get("target", "")))
    homes = [posixpath.dirname(posixpath.normpath(target)) for target in targets]
    return any(_below(own, target) for target in targets) or any(
        home != "/" and posixpath.dirname(own) == home for home in homes
    )


def _below(path: str, above: str) -> bool:
    return above in (path, ".") or path.startswith(above.rstrip("/") + "/")

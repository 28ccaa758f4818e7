"""What to write in place of mounts that are refused: by what is mounted, as far as that is seen."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Line
from .compose_yaml import Override
from .development import FILE as DEVELOPMENT_FILE
from .mounts import FILE, FOLDER

if TYPE_CHECKING:
    from ..records import Mount, Service

CONFIGURATION, SOURCE, DATA = "configuration", "source code", "data"
_HOME = "~"


def of_service(
    name: str, service: Service, refused: Iterable[int], there: Mapping[str, str]
) -> list[Line]:
    """The lines for a service's mounts, some of which are ``refused``, by their number.

    ``there`` says what is at a path of the stack's directory, see `mounts.kinds`. Configuration
    is mounted to read, source code in development alone, and data is in a named volume.
    """
    refused = set(refused)
    kept: list[Any] = []
    developed: list[Any] = []
    moved: list[str] = []
    lines: list[Line] = []
    mounts = service.get("volumes") or []
    for number, mount in enumerate(mounts):
        target = str(mount.get("target", ""))
        kind = _kind(mount, service, there) if number in refused else ""
        if kind == SOURCE:
            developed.append(_short(mount))
            moved.append(target)
        elif kind == CONFIGURATION:
            kept.append(_short({**mount, "read_only": True}))
        elif kind == DATA:
            volume = _volume(name, mount)
            kept.append(f"{volume}:{target}")
            lines.append(Line(("volumes", volume), None))
        elif not mount.get("source") and any(_below(target, above) for above in moved):
            developed.append(target)  # it hides a part of the source code that is mounted
        else:
            kept.append(_short(mount))
    path = ("services", name, "volumes")
    lines.insert(0, Line(path, Override(kept)))
    if developed:
        lines.append(Line(path, developed, DEVELOPMENT_FILE))
    return lines


def _kind(mount: Mount, service: Service, there: Mapping[str, str]) -> str:
    source = posixpath.normpath(str(mount.get("source", "")))
    found = there.get(source, "")
    if source == ".":
        return SOURCE
    if source.startswith(_HOME) or not found:
        return DATA
    if found == FILE:
        return CONFIGURATION
    build = service.get("build")
    context = build.get("context") if isinstance(build, Mapping) else None
    if context is not None and _below(source, posixpath.normpath(str(context))):
        return SOURCE
    return CONFIGURATION if found == FOLDER else SOURCE


def _volume(service: str, mount: Mount) -> str:
    """A name for what was a directory: ``db-data`` of ``./db/data``."""
    path = posixpath.normpath(str(mount["source"])).lstrip("~./")
    words = "".join(sign if sign.isalnum() or sign in "_-" else "-" for sign in path)
    return words.strip("-_") or f"{service}-data"


def _short(mount: Mount) -> Any:
    """A mount as people write it; the long form where the short one cannot say it."""
    source, target = str(mount.get("source") or ""), str(mount.get("target", ""))
    more = {key for key in mount if key not in ("type", "source", "target", "read_only")}
    plain = not any(mount[key] for key in more if key != "bind")
    usual = mount.get("bind") in (None, {}, {"create_host_path": True})
    if not plain or not usual or mount.get("type") not in ("bind", "volume") or ":" in source:
        return dict(mount)
    if not source:
        return target
    return f"{source}:{target}{':ro' if mount.get('read_only') else ''}"


def _below(path: str, above: str) -> bool:
    return above in (path, ".") or path.startswith(above.rstrip("/") + "/")

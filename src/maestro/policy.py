"""What a stack may not do outside development, checked on Compose's own reading of it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from . import borrowing, ports, updates
from .errors import MaestroError
from .host.registry import Reference

DEVELOPMENT = "development"
_DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run", "/var/run", "/")


def problems(model: Mapping[str, Any], environment: str, stack: str) -> list[MaestroError]:
    """Every breach in the model, each with its path, what was found and what is allowed.

    ``model`` is the canonical model of `host.compose.canonical`, active services only.
    """
    found: list[MaestroError] = []
    for name, service in sorted(model["services"].items()):
        where = f"{stack}/compose.yaml: services.{name}"
        found += _image(service, where, environment)
        if environment != DEVELOPMENT:
            found += _privileges(service, where)
            found += _mounts(service, where)
    found += borrowing.problems(model["services"], model["services"], stack)
    return [*found, *ports.clashes(model["services"], stack), *updates.problems(model, stack)]


def _image(service: Mapping[str, Any], where: str, environment: str) -> Iterable[MaestroError]:
    image = str(service.get("image", ""))
    if not image:
        yield MaestroError(
            "has no image",
            where=where,
            fix="name the image it is deployed from beside `build`: ${REGISTRY}/NAME:${VERSION}",
        )
        return
    reference = Reference.parse(image)
    if environment == DEVELOPMENT or reference.digest:
        return
    if reference.tag in ("", "latest"):
        yield MaestroError(
            f"found {image}: a moving tag",
            where=f"{where}.image",
            fix="allowed: a version tag such as ${VERSION}, or a digest; `latest` only in "
            "development",
        )


def _privileges(service: Mapping[str, Any], where: str) -> Iterable[MaestroError]:
    if service.get("privileged"):
        yield MaestroError(
            "found privileged: true",
            where=f"{where}.privileged",
            fix="allowed: false; give single capabilities by cap_add",
        )
    for capability in service.get("cap_add") or []:
        if str(capability).upper().removeprefix("CAP_") in ("ALL", "SYS_PTRACE", "SYS_ADMIN"):
            yield MaestroError(
                f"found {capability}",
                where=f"{where}.cap_add",
                fix="allowed: any but ALL, SYS_ADMIN and SYS_PTRACE outside development",
            )


def _mounts(service: Mapping[str, Any], where: str) -> Iterable[MaestroError]:
    for number, mount in enumerate(service.get("volumes") or []):
        if mount.get("type") != "bind":
            continue
        source = str(mount.get("source", ""))
        place = f"{where}.volumes[{number}]"
        # normpath keeps two leading slashes; a path of the stack's directory starts with a dot.
        if posixpath.normpath(source).replace("//", "/") in _DOCKER_SOCKETS:
            yield MaestroError(
                f"found {source}: a container with the Engine's socket rules the host",
                where=place,
                fix="allowed: named volumes, and absolute paths without the socket",
            )
        elif source.startswith("."):
            yield MaestroError(
                f"found {source}: a mount of the stack's source",
                where=place,
                fix="allowed: named volumes and absolute paths; source mounts belong into "
                "compose.development.yaml",
            )

"""Paths of a host that services mount and that nothing makes: the Engine refuses their containers.

Compose makes the path of a short mount (`/srv/data:/data`), and where `create_host_path` says so.
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Compose, Mount

# Up to here (tried with 2.26.1 and 2.40.3) Compose says `create_host_path: true` of each path that
# it makes; a newer one may leave out what is its default.
_SAYS = (2, 40)


def problems(
    host: str,
    services: Iterable[str],
    compose: Compose,
    missing: Collection[str],
    version: str,
) -> Iterator[MaestroError]:
    """Mounts of ``services`` (those that get containers) whose path is ``missing`` on the host.

    ``compose`` is the release's file, ``version`` that of the host's Compose.
    """
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    makes = numbers > _SAYS
    for service in sorted(services):
        for number, mount in enumerate(compose["services"][service].get("volumes") or []):
            path, place = _needed(mount, compose, makes=makes)
            if path in missing:
                yield MaestroError(
                    f"{path} is not there, and {service} mounts it",
                    where=f"{host}: {place or f'services.{service}.volumes[{number}]'}",
                    fix=f"on the host: mkdir -p {path}, with the owner that writes it; or correct "
                    "the path",
                )


def _needed(mount: Mount, compose: Compose, *, makes: bool) -> tuple[str, str]:
    """The path that must be there, and where it is said when not in the mount itself."""
    source = str(mount.get("source") or "")
    if mount.get("type") == "bind":
        made = (mount.get("bind") or {}).get("create_host_path", makes)
        return ("" if made else source), ""
    options = ((compose.get("volumes") or {}).get(source) or {}).get("driver_opts") or {}
    if mount.get("type") == "volume" and {"bind", "rbind"} & set(
        str(options.get("o") or "").split(",")
    ):
        return str(options.get("device") or ""), f"volumes.{source}.driver_opts.device"
    return "", ""

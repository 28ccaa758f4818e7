"""Volumes that a release had and that are no longer on the host: their services begin empty.

Somebody removed one by hand, or the disk with the Engine's data is another one than before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.resources import Resources
from .networks import own

if TYPE_CHECKING:
    from ..records import Compose


def problems(
    where: str,
    services: Iterable[str],
    compose: Compose,
    before: Compose,
    there: Resources,
) -> Iterable[MaestroError]:
    """Named volumes of ``services`` (those that get containers) which are lost.

    ``compose`` is the release to come, ``before`` one that had its volumes. External ones are
    told apart from these: Compose makes none.
    """
    defined = own(compose, "volumes")
    had = {item["name"] for item in own(before, "volumes").values()}
    said: set[str] = set()
    for service in sorted(services):
        for mount in compose["services"][service].get("volumes") or []:
            name = str(defined.get(str(mount.get("source")), {}).get("name") or "")
            if mount.get("type") != "volume" or name not in had - set(there.volumes) - said:
                continue
            said.add(name)
            yield MaestroError(
                f"the volume {name} is no longer on the host: {service} would start with an "
                "empty one",
                where=f"{where}: services.{service}.volumes",
                fix=f"restore it from a backup (docker volume create {name}, then its files), or "
                "start with an empty one: -e accept_volume_change=true",
            )

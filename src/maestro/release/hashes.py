"""Names for definitions: a service whose hash is another one gets new containers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..host.labels import HASH_LABEL

if TYPE_CHECKING:
    from ..records import Compose, Definition, Service

HASH_LENGTH = 16
# Keys that do not shape a container: Compose leaves them out of its own hash as well.
_NOT_THE_CONTAINER = ("depends_on", "scale")


def of(service: Service) -> str:
    """A name for everything that shapes the service's containers."""
    shape = {key: value for key, value in service.items() if key not in _NOT_THE_CONTAINER}
    if isinstance(shape.get("deploy"), dict):
        shape["deploy"] = {k: v for k, v in shape["deploy"].items() if k != "replicas"}
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def hash_of(service: Service, compose: Compose) -> str:
    """The hash a service of a rendered Compose file must have, worked out anew."""
    labels = {
        key: value for key, value in (service.get("labels") or {}).items() if key != HASH_LABEL
    }
    bare = {key: value for key, value in service.items() if key != "labels"}
    if labels:
        bare["labels"] = labels
    return of({**bare, "definitions": definitions(service, compose)})


def definitions(service: Service, compose: Compose) -> dict[str, dict[str, Definition]]:
    """The networks and volumes of one service, as the whole file defines them."""
    return {key: used(compose, [service], key) for key in ("networks", "volumes")}


def used(compose: Compose, services: Iterable[Service], kind: str) -> dict[str, Definition]:
    """The ``networks`` or ``volumes`` that some services use, as the whole file defines them."""
    used: set[str] = set()
    for service in services:
        if kind == "networks":
            used.update(service.get("networks") or {})
        else:
            mounts = service.get("volumes") or []
            used.update(mount.get("source") for mount in mounts if mount["type"] == "volume")
    return {name: value for name, value in (compose.get(kind) or {}).items() if name in used}

"""Where Compose's reading of a file, as JSON, is nothing that Compose reads again.

Found by a round trip over every key of the specification (tests/compose_keys.py) with Compose
2.26 and 2.40; each is written as the file says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import Draft

_RATES = (
    *("device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"),
    "weight_device",
)
_SIZES = ("mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "shm_size")


def mend(service: Draft) -> None:
    """Change a service of the canonical model so that Compose reads it as it was meant."""
    for key in _SIZES:
        # A size is text, and -1 (no limit) is no size: it is read as a number alone.
        if isinstance(service.get(key), str) and service[key].startswith("-"):
            service[key] = int(service[key])
    blkio = service.get("blkio_config") or {}
    for key in _RATES:
        # Written with the names of the fields in Compose's own source: Path, Rate, Weight.
        if blkio.get(key):
            blkio[key] = [{name.lower(): value for name, value in i.items()} for i in blkio[key]]
    limits = service.get("ulimits") or {}
    for name, limit in limits.items():
        # Zeros are left out.
        if isinstance(limit, dict) and not limit.get("single"):
            limits[name] = {"soft": limit.get("soft", 0), "hard": limit.get("hard", 0)}
    _reserve(service)


def _reserve(service: Draft) -> None:
    """Say ``gpus`` in the long form: Compose 2.26 takes the short one, and gives no container any.

    Compose 2.30 and newer do just this with it.
    """
    asked = service.pop("gpus", None)
    if not asked:
        return
    # As Compose reads it back.
    deploy = service["deploy"] = {"placement": {}, **(service.get("deploy") or {})}
    resources = deploy["resources"] = deploy.get("resources") or {}
    reserved = resources["reservations"] = resources.get("reservations") or {}
    reserved["devices"] = [
        *(reserved.get("devices") or []),
        *({**item, "capabilities": _with_gpu(item.get("capabilities"))} for item in asked),
    ]


def _with_gpu(capabilities: Sequence[str] | None) -> list[str]:
    """Compose takes no capability twice."""
    return list(dict.fromkeys([*(capabilities or []), "gpu"]))

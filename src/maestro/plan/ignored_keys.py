"""Keys that an older Compose takes and does nothing with: its reader knows more than it does.

Debian builds Compose 2.26 with a newer reader of Compose files. Found by looking at the containers
that 2.26.1-4 and 2.40.3 make; where the specification gives a version for the key, it is that.
https://github.com/compose-spec/compose-spec/blob/main/05-services.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import Service


POST_START = (2, 30)
ENDPOINT_OPTIONS = (2, 27)
RECURSIVE = (2, 27)


def warnings(services: Mapping[str, Service], touched: Iterable[str], compose: str) -> list[str]:
    """A line for each such key of a service that gets containers; ``compose`` as in ``2.26.1``."""
    have = tuple(int(part) for part in compose.split(".")[:2] if part.isdigit())
    new = set(touched)
    return [
        f"services.{name}.{key} does nothing: this host has Compose {compose}, and "
        f"{'.'.join(map(str, since))} or newer is needed; install a newer one, or do without"
        for name, service in sorted(services.items())
        if name in new
        for key, since in _asked(service)
        if have and have < since
    ]


def _asked(service: Service) -> Iterable[tuple[str, tuple[int, ...]]]:
    if service.get("post_start"):
        yield "post_start", POST_START
    for network, options in (service.get("networks") or {}).items():
        if (options or {}).get("driver_opts"):
            yield f"networks.{network}.driver_opts", ENDPOINT_OPTIONS
    for mount in service.get("volumes") or []:
        if isinstance(mount, dict) and (mount.get("bind") or {}).get("recursive"):
            yield f"volumes ({mount.get('target')}): bind.recursive", RECURSIVE

"""Commands around a container's life (``post_start``, ``pre_stop``): which of them run.

Compose runs them itself, and it starts every container of ours; stopping is the roll's own work.
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#pre_stop
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import Service


def warnings(services: Mapping[str, Service], touched: Iterable[str]) -> list[str]:
    """A line for each service that gets containers and counts on ``pre_stop``."""
    new = set(touched)
    return [
        f"services.{name}.pre_stop does not run when a deploy stops a container of {name}: let the "
        "program do it on SIGTERM, within stop_grace_period"
        for name, service in sorted(services.items())
        if name in new and service.get("pre_stop")
    ]

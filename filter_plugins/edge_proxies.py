"""Filters for the proxies the edge trusts; what they do stands in maestro.machine.edge_proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maestro.machine import edge_proxies


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"edge_proxies": edge_proxies.networks, "edge_proxy_problems": edge_proxies.problems}

"""Filters for variables of the role edge; what they do stands in maestro.machine.edge_variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maestro.machine import edge_variables


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "edge_host_problems": edge_variables.host_problems,
            "edge_image_pinned": edge_variables.pinned,
        }

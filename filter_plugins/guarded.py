"""Filter for the hosts of a play; what it does stands in maestro.play.guarded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from maestro.play import guarded
from maestro.play.failing import as_ansible


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"guarded": as_ansible(AnsibleFilterError)(guarded.hosts)}

"""What tasks registered on hosts.

Ansible puts all variables of a host together each time they are looked at, which takes some
milliseconds: a step that looks at every host would grow with their square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def of(task_vars: Mapping[str, Any], host: str, name: str) -> Any:
    """What was registered under a name on a host; None where nothing was."""
    hostvars = task_vars["hostvars"]
    manager = getattr(hostvars, "_variable_manager", None)
    kept = getattr(manager, "_nonpersistent_fact_cache", None)
    if kept is None:
        return hostvars[host].get(name)
    return kept.get(host, {}).get(name)

"""What tasks registered on hosts.

Ansible puts all variables of a host together each time they are looked at, which takes some
milliseconds: a step that looks at every host would grow with their square. And it goes through
each value of an answer half a dozen times on its way: a long one travels as one text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

_PACKED = "packed"
_ITS_OWN = frozenset(("changed", "failed", "msg", "unreachable", "exception"))  # Ansible reads them


def packed(answer: Mapping[str, Any], read_in_roles: Collection[str]) -> dict[str, Any]:
    """A step's answer as one text, but for what roles read of it; one that failed as it is."""
    if answer.get("failed") or answer.get("unreachable"):
        return dict(answer)
    open_keys = _ITS_OWN | set(read_in_roles)
    found = {key: value for key, value in answer.items() if key in open_keys}
    rest = {key: value for key, value in answer.items() if key not in open_keys}
    return {**found, _PACKED: json.dumps(rest)}


def _unpacked(answer: Any) -> Any:
    if not isinstance(answer, Mapping) or _PACKED not in answer:
        return answer
    rest: dict[str, Any] = json.loads(answer[_PACKED])
    return {**{key: value for key, value in answer.items() if key != _PACKED}, **rest}


def of(task_vars: Mapping[str, Any], host: str, name: str) -> Any:
    """What was registered under a name on a host; None where nothing was."""
    hostvars = task_vars["hostvars"]
    manager = getattr(hostvars, "_variable_manager", None)
    kept = getattr(manager, "_nonpersistent_fact_cache", None)
    if kept is None:
        return _unpacked(hostvars[host].get(name))
    return _unpacked(kept.get(host, {}).get(name))

"""A long answer travels as one text, and is read as it was."""

from __future__ import annotations

import json
from typing import Any

from maestro.play import registered

ANSWER = {
    "changed": False,
    "agent": "1",
    "lease": {"held": False},
    "model": {"services": {"web": {"image": "x"}}},
    "containers": [{"Id": "c"}],
}


class Manager:
    def __init__(self, facts: dict[str, Any]) -> None:
        self._nonpersistent_fact_cache = {"web-1": facts}


class Hostvars(dict[str, Any]):
    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__({"web-1": facts})
        self._variable_manager = Manager(facts)


def test_what_was_packed_is_read_as_it_was() -> None:
    packed = registered.packed(ANSWER, ("agent", "lease"))
    assert json.loads(json.dumps(packed)) == packed
    assert {"changed", "agent", "lease"} < set(packed)
    assert not {"model", "containers"} & set(packed)
    task_vars = {"hostvars": Hostvars({"state": packed, "plan": {"kind": "update"}})}
    assert registered.of(task_vars, "web-1", "state") == ANSWER
    assert registered.of(task_vars, "web-1", "plan") == {"kind": "update"}
    assert registered.of(task_vars, "web-2", "state") is None


def test_a_failure_is_said_as_it_is() -> None:
    failed = {"failed": True, "msg": "no room", "model": {}}
    assert registered.packed(failed, ()) == failed

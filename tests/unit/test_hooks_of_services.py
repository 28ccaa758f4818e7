"""Commands around a container's life: an operator is told of those that do not run."""

from __future__ import annotations

from typing import Any

from maestro.plan import lifecycle_hooks

SERVICES: dict[str, dict[str, Any]] = {
    "web": {"pre_stop": [{"command": ["drain"]}], "post_start": [{"command": ["warm"]}]},
    "db": {"post_start": [{"command": ["warm"]}]},
    "kept": {"pre_stop": [{"command": ["drain"]}]},
}


def test_a_command_before_a_stop_is_said_not_to_run() -> None:
    (said,) = lifecycle_hooks.warnings(SERVICES, ["db", "web"])
    assert said.startswith("services.web.pre_stop does not run when a deploy stops")
    assert "on SIGTERM, within stop_grace_period" in said

"""Read a stack's logs on its host and show them."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `logs`; changes nothing."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        result = super().step(args, task_vars)
        if "text" in result:
            host = (task_vars or {})["inventory_hostname"]
            Display().display(f"{host}:\n{result['text'] or '(no lines)'}\n")
        return result

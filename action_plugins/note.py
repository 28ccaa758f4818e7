"""Keep in the hosts' history that a run was refused."""

from __future__ import annotations

from typing import Any

from maestro.play.action import StepAction
from maestro.play.operator import who


class ActionModule(StepAction):
    """Takes the step `note`; who ran it is known here."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        args["claim"] = {**args["claim"], "by": who()}
        return super().step(args, task_vars)

"""Switch the maintenance page of a stack; who does it is known here."""

from __future__ import annotations

from typing import Any

from maestro.host import naming
from maestro.play.action import Action
from maestro.play.operator import who


class ActionModule(Action):
    """Runs the module of that name."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module answers; `MaestroError` for a name that is none."""
        naming.stack(str(args["stack"]))
        given = {**args, "by": who()}
        found: dict[str, Any] = self._execute_module(
            str(self._task.action), given, task_vars=task_vars
        )
        return found

"""Hold a host back when another one failed the same step."""

from __future__ import annotations

from typing import Any

from maestro.play import gate
from maestro.play.action import LocalAction


class ActionModule(LocalAction):
    """Fail unless the registered results ``steps`` are successes on all ``hosts``."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task."""
        gate.check(args, task_vars)
        return {}

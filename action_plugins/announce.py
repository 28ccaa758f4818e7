"""Say what would change on a host (`--check`) and how (`--diff`)."""

from __future__ import annotations

from typing import Any

from maestro.play.action import LocalAction


class ActionModule(LocalAction):
    """Changes nothing; reports `changed` in check mode when the plan has work."""

    def done(self, args: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task."""
        changes = bool(args["work"]["plan"]["changes"])
        result: dict[str, Any] = {"changed": changes and self._task.check_mode}
        if self._task.diff and changes:
            result["diff"] = {
                "before_header": "the running release",
                "after_header": "the release as planned",
                "before": str(args["before"]),
                "after": str(args["work"]["compose"]),
            }
        return result

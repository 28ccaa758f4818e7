"""Say what would change on a host (`--check`) and how (`--diff`)."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Changes nothing; reports `changed` in check mode when the plan has work."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        changes = bool(args["work"]["plan"]["changes"])
        result["changed"] = changes and self._task.check_mode
        if self._task.diff and changes:
            result["diff"] = {
                "before_header": "the running release",
                "after_header": "the release as planned",
                "before": str(args["before"]),
                "after": str(args["work"]["compose"]),
            }
        return result

"""Show what runs where."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import status


class ActionModule(ActionBase):
    """Print one table for all hosts; changes nothing."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result = super().run(tmp, task_vars)
        hostvars = (task_vars or {})["hostvars"]
        args = self._task.args
        states = {host: hostvars[host][args["states"]] for host in args["hosts"]}
        urls = {host: str(hostvars[host].get("maestro_url", "")) for host in args["hosts"]}
        Display().display(status.table(str(args["stack"]), states, urls))
        return result

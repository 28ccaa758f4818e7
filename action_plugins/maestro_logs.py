"""Read a stack's logs on its host and show them."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """Calls the module of the same name; changes nothing."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result = super().run(tmp, task_vars)
        result |= self._execute_module(module_args=self._task.args, task_vars=task_vars)
        if "text" in result:
            host = (task_vars or {})["inventory_hostname"]
            Display().display(f"{host}:\n{result['text'] or '(no lines)'}\n")
        return result

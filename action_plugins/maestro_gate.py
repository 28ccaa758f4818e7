"""Hold a host back when another one failed the same step."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from maestro.errors import MaestroError


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Fail unless the registered results ``steps`` are successes on all ``hosts``.

    A skipped step counts as one: the host had nothing to do in it.
    """

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        hostvars = (task_vars or {})["hostvars"]
        missing = [
            host
            for host in self._task.args["hosts"]
            if not all(_passed(hostvars[host].get(step)) for step in self._task.args["steps"])
        ]
        if missing:
            error = MaestroError(
                f"held back: {', '.join(missing)} failed",
                fix="a release goes in on every host or on none; see the failed host's message",
            )
            raise AnsibleActionFail(str(error))
        return result


def _passed(step: Any) -> bool:
    return bool(step) and not step.get("failed") and not step.get("unreachable")

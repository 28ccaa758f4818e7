"""Show what happened to stacks on all hosts, by time."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import controller, timeline
from maestro.errors import MaestroError


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
        found = {host: hostvars[host].get(args["states"], {}) for host in args["hosts"]}
        try:
            states = controller.reached(found)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from None
        lost = [host for host in found if host not in states]
        events = {host: state["events"] for host, state in states.items()}
        Display().display(timeline.table(events, lost))
        return result

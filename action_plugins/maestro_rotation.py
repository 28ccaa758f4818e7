"""Decide which services get which new secrets, and show it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import controller, plan, rotation
from maestro.errors import MaestroError


class ActionModule(ActionBase):
    """The answer has the shape of a deploy's plan: the same steps carry it out."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result = super().run(tmp, task_vars)
        args = self._task.args
        hostvars = (task_vars or {})["hostvars"]
        made = args["made"]
        asked = rotation.Asked(
            stack=str(args["request"]["stack"]),
            environment=str(args["request"]["environment"]),
            choice=rotation.Choice(made["names"], made["fresh"], made["notes"]),
            named=made["named"],
            approved_by=str(args["request"]["approved_by"]),
            dry=self._task.check_mode,
        )
        try:
            found = {host: hostvars[host].get(args["states"], {}) for host in args["hosts"]}
            states = controller.reached(found)
            decision = rotation.decide(asked, states)
            controller.check_approval(str(args["approved_plan"]), decision.digest)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        lost = [host for host in found if host not in states]
        Display().display(plan.describe(decision.plans, decision.digest, lost, decision.notes))
        result.update(decision.answer())
        return result

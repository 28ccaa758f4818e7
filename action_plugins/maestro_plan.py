"""Decide the plan of every host from the states that were read, and show it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import controller, deploy, plan
from maestro.errors import MaestroError


class ActionModule(ActionBase):
    """The one place where a deploy is decided; it runs once, on the controller."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = self._task.args
        hostvars = task_vars["hostvars"]
        try:
            found = {host: hostvars[host].get(args["states"], {}) for host in args["hosts"]}
            states = controller.reached(found)
            decision = deploy.decide(
                deploy.Inputs(
                    request=args["request"],
                    states=states,
                    resolver=str(args["resolver"]),
                    root=str(args["root"]),
                    profiles=frozenset(args["profiles"] or []),
                    waves=tuple(map(str, args["waves"])),
                )
            )
            controller.check_approval(str(args["approved_plan"]), decision.digest)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        lost = [host for host in found if host not in states]
        Display().display(plan.describe(decision.plans, decision.digest, lost))
        result.update(decision.answer())
        return result

"""Decide the plan of every host from the states that were read, and show it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import deploy, plan
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
        states = {host: hostvars[host][args["states"]] for host in args["hosts"]}
        try:
            decision = deploy.decide(
                deploy.Inputs(
                    request=args["request"],
                    states=states,
                    resolver=str(args["resolver"]),
                    root=str(args["root"]),
                    profiles=frozenset(args["profiles"] or []),
                )
            )
            _check_approval(str(args["approved_plan"]), decision.digest)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        Display().display(plan.describe(decision.plans, decision.digest))
        result.update(
            release=decision.release,
            plan=decision.digest,
            hosts=decision.hosts,
            migrates=any(work["migrations"] for work in decision.hosts.values()),
            changing=[item.host for item in decision.plans if item.changes],
        )
        return result


def _check_approval(approved: str, found: str) -> None:
    if approved and approved != found:
        raise MaestroError(
            f"the approval is for plan {approved}, the plan is now {found}",
            where="-e approved_plan",
            fix="something changed since it was read: read the new plan and approve that",
        )

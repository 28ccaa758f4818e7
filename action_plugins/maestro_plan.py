"""Decide the plan of every host from the states that were read, and show it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import agent_archive, deploy, plan
from maestro.errors import MaestroError, raise_all


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
            states = _readable(found)
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
            _check_approval(str(args["approved_plan"]), decision.digest)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        lost = [host for host in found if host not in states]
        Display().display(plan.describe(decision.plans, decision.digest, lost))
        result.update(
            release=decision.release,
            staged=decision.release,
            kind="update",
            waves=decision.waves,
            agent=agent_archive.checksum() if decision.waves else "",
            plan=decision.digest,
            hosts=decision.hosts,
            migrates=any(work["migrations"] for work in decision.hosts.values()),
            changing=[item.host for item in decision.plans if item.changes],
        )
        return result


def _readable(found: dict[str, Any]) -> dict[str, Any]:
    """The states of the hosts that were reached; one that could not answer is refused."""
    states = {host: state for host, state in found.items() if not state.get("unreachable")}
    raise_all(
        [
            MaestroError(
                f"its state cannot be read: {state.get('msg', 'it did not answer')}", where=host
            )
            for host, state in states.items()
            if state.get("failed") or not state
        ]
    )
    return states


def _check_approval(approved: str, found: str) -> None:
    if approved and approved != found:
        raise MaestroError(
            f"the approval is for plan {approved}, the plan is now {found}",
            where="-e approved_plan",
            fix="something changed since it was read: read the new plan and approve that",
        )

"""What the action plugins share: modules with secrets, guarded ones, and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from . import controller, plan
from .deploy import Decision
from .errors import MaestroError
from .stack import check_name


class SecretAction(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Run the module of the task's name with a ``payload`` of secrets.

    The task's own arguments and its result never hold a value: they are read here, on the
    controller, and travel to the module as standard input. The task names the deploy's
    ``request``, which says where the secrets are.
    """

    with_secrets: ClassVar[bool] = False
    with_login: ClassVar[bool] = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the module; `AnsibleActionFail` when a secret cannot be read."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        request = args["request"]
        names = list(request["secret_names"]) if self.with_secrets else []
        try:
            values = controller.read_secrets(
                {**request, "secret_names": names}, self._loader, registry=self.with_login
            )
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        args["payload"] = controller.payload(values, names, request)
        result.update(self._execute_module(self._task.action, args, task_vars=task_vars))
        result.pop("invocation", None)
        return result


class GuardedAction(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Run the module of the task's name for a run that is allowed; one step instead of two.

    ``guard`` is what `controller.guard_play` takes. With a ``request`` the module gets the
    values of its secrets as ``payload``.
    """

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the module; `AnsibleActionFail` when the run is refused."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        guard, request = args.pop("guard"), args.pop("request", {})
        try:
            controller.guard_play(guard, task_vars or {}, check_mode=self._task.check_mode)
            check_name(str(args["stack"]))
            if request:
                values = controller.read_secrets(request, self._loader)
                args["payload"] = controller.payload(values, request["secret_names"], request)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(self._execute_module(self._task.action, args, task_vars=task_vars))
        result.pop("invocation", None)
        return result


class DecisionAction(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Decide what happens on every host, from their ``states``, and show it.

    Runs once, on the controller. All answers have one shape: the same steps carry them out.
    """

    _requires_connection = False

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> Decision:
        """The decision, from the states of the hosts that were reached."""
        raise NotImplementedError

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task; `AnsibleActionFail` with all reasons against it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        hostvars = (task_vars or {})["hostvars"]
        try:
            found = {host: hostvars[host].get(args["states"], {}) for host in args["hosts"]}
            states = controller.reached(found)
            decision = self.decide(args, states)
            controller.check_approval(str(args["approved_plan"]), decision.digest)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        lost = [host for host in found if host not in states]
        Display().display(plan.describe(decision.plans, decision.digest, lost, decision.notes))
        result.update(decision.answer())
        return result

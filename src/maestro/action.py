"""The action plugin behind every module that needs a secret."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from . import controller
from .errors import MaestroError


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

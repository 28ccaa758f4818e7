"""Switch the maintenance page of a stack; who does it is known here."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from maestro.errors import MaestroError
from maestro.host import naming
from maestro.play.controller import who


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Runs the module of that name."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """What the module answers; `AnsibleActionFail` for a name that is none."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = {**self._task.args, "by": who()}
        try:
            naming.stack(str(args["stack"]))
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from None
        name = str(self._task.action)
        found = self._execute_module(name, args, task_vars=task_vars)
        return {**result, **found}

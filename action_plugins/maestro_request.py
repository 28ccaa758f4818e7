"""Check what a deploy is asked to do, on the controller, before any host is spoken to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from maestro.errors import MaestroError
from maestro.host import naming
from maestro.plan import accounts
from maestro.play import controller, host_variables
from maestro.play.values import boolean
from maestro.stack import files


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """Guard, stack files and secrets; the answer holds no secret's value."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = self._task.args
        try:
            result["request"] = self._request(args, task_vars)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def _request(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        extra = controller.said(self._loader)
        controller.guard_play(args, task_vars, extra, check_mode=self._task.check_mode)
        shared = {key: str(args[key]) for key in host_variables.SHARED}
        request = host_variables.settled(shared, args, controller.project())
        naming.version(request["version"])
        loaded = files.load(
            controller.project() / request["directory"],
            request["stack"],
            request["environment"],
            request["variables"],
            version=request["version"],
            profiles=request["profiles_said"],
        )
        request |= {
            "dry": bool(args["plan_only"]) or self._task.check_mode,
            **host_variables.read_of(loaded),
            "approved_by": str(args["approved_by"]),
            "accept_volume_change": boolean(
                args["accept_volume_change"], "deploy_accept_volume_change"
            ),
            **{name: boolean(args[name], f"deploy_{name}") for name in ("adopt", "remove_unnamed")},
            "allowed_accounts": sorted(accounts.names(args["allowed_accounts"])),
            "git_commit": controller.git_commit(Path(loaded.directory)),
        }
        # Read once here so that every missing secret is named before a host is touched.
        controller.read_secrets(request, self._loader, registry=True)
        return request

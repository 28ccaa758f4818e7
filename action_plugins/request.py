"""Check what a deploy is asked to do, on the controller, before any host is spoken to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro.plan import accounts
from maestro.play import alike, arguments, controller, host_variables, secret_values, signing
from maestro.play.action import LocalAction
from maestro.play.values import boolean
from maestro.stack import exceptions, policy

if TYPE_CHECKING:
    from maestro import records


class ActionModule(LocalAction):
    """Guard, stack files and secrets; the answer holds no secret's value."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task; a promotion has no request before it is known what is promoted."""
        if args.pop("promote") and not args.get("promoted"):
            self._guard(args, task_vars)
            return {"request": {}}
        options = arguments.of_role(Path(task_vars["role_path"]))
        arguments.check(options, task_vars, self._templar.template)
        own = str(args.pop("own"))
        return {
            "request": self._request(args, task_vars),
            "arguments": options,
            "own": own,
            "alike": alike.mark(task_vars, [*options, own]),
        }

    def _guard(self, args: dict[str, Any], task_vars: dict[str, Any]) -> None:
        extra = controller.said(self._loader)
        controller.guard_play(args, task_vars, extra, check_mode=self._task.check_mode)

    def _request(self, args: dict[str, Any], task_vars: dict[str, Any]) -> records.DeployRequest:
        self._guard(args, task_vars)
        stack, environment = str(args["stack"]), str(args["environment"])
        promoted: records.Promoted | None = args.get("promoted") or None
        if promoted:
            args["version"] = promoted["version"]
        directory = str(args["directory"])
        settings = host_variables.settings(args, stack, controller.project())
        loaded, read = host_variables.read(
            controller.project() / directory, stack, environment, settings
        )
        request: records.DeployRequest = {
            "stack": stack,
            "environment": environment,
            "directory": directory,
            **settings,
            "lacking": [],
            **read,
            "dry": bool(args["plan_only"]) or self._task.check_mode,
            "approved_by": str(args["approved_by"]),
            "accept_volume_change": boolean(
                args["accept_volume_change"], "deploy_accept_volume_change"
            ),
            "adopt": boolean(args["adopt"], "deploy_adopt"),
            "remove_unnamed": boolean(args["remove_unnamed"], "deploy_remove_unnamed"),
            "allowed_accounts": sorted(accounts.names(args["allowed_accounts"])),
            "allow": exceptions.checked(args["allow"], policy.rules()),
            "git_commit": controller.git_commit(Path(loaded.directory)),
            "promoted": promoted,
            "images": str(args["images"]),
            "signed_by": signing.keys(args["signed_by"], controller.project(), str(args["images"])),
        }
        return secret_values.checked(request, self._loader)

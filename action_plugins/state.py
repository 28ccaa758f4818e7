"""Read the state of a host in one module call."""

from __future__ import annotations

from typing import Any

from maestro.play import arguments, controller, host_variables, local_images
from maestro.play.action import SecretAction


class ActionModule(SecretAction):
    """Gives the step `state` what it needs of the secrets and of the host's own values."""

    with_secrets = True
    with_login = True

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers, and ``own``: what of this host's the decision needs."""
        arguments.check(args.pop("arguments"), task_vars or {}, self._templar.template)
        values = args.pop("own")
        request, differs = host_variables.request_of(args["request"], values, controller.project())
        # Images that only this host deploys are known to no other.
        over_ssh = request.get("images") == local_images.SSH
        args.update(request=request, resolve=(args["resolve"] or differs) and not over_ssh)
        answer = super().step(args, task_vars)
        answer["own"] = {
            "version": request["version"],
            "root": str(args["root"]),
            "profiles": request["profiles"],
            # Which files it reads may depend on its variables.
            **({"files": request["files"]} if differs else {}),
            **({"problems": host_variables.problems_of(request)} if differs else {}),
        }
        return answer

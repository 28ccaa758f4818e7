"""Read the state of a host in one module call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maestro.play import alike, arguments, controller, host_variables, local_images, registered
from maestro.play.action import SecretAction

if TYPE_CHECKING:
    from maestro import records


class ActionModule(SecretAction):
    """Gives the step `state` what it needs of the secrets and of the host's own values."""

    with_secrets = True
    with_login = True

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers, and ``own``: what of this host's the decision needs."""
        here = task_vars or {}
        said = registered.of(here, str(here["inventory_hostname"]), str(args.pop("asked")))
        if not said["request"]:
            # What is promoted is not known yet: nobody is asked before.
            return {"changed": False, "lease": {}}
        request, differs = self._request(said, here)
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
        return registered.packed(answer, ("agent", "compose", "lease"))

    def _request(
        self, said: Mapping[str, Any], task_vars: Mapping[str, Any]
    ) -> tuple[records.DeployRequest, bool]:
        """What is asked of this host, and whether it may read its stack otherwise than the first.

        ``said`` is the answer of the step `request`.
        """
        request: records.DeployRequest = said["request"]
        if alike.same(said, task_vars):
            return host_variables.as_first(request), False
        arguments.check(said["arguments"], task_vars, self._templar.template)
        own = self._templar.template(task_vars[said["own"]])
        return host_variables.request_of(request, own, controller.project())

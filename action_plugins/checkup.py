"""Look at a host for `maestro doctor`: one that cannot be reached is an answer, too."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from maestro.errors import MaestroError
from maestro.play import agent_archive, controller, host_variables, local_images
from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `checkup`; never fails."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task: `records.Examined`."""
        own = args.pop("own")
        over_ssh = args.pop("images", "") == local_images.SSH
        began = time.time()
        found: dict[str, Any] = {
            "environment": str(own["environment"]),
            "agent": agent_archive.digest(),
            "began": began,
            "groups": list(task_vars.get("group_names") or ()),
        }
        try:
            args["registry"] = "" if over_ssh else str(own["registry"])
            args["payload"] = self._login(own)
            answer = self.step(args, task_vars)
        except AnsibleConnectionFailure as error:
            return {**found, "unreached": str(error)}
        except (AnsibleError, MaestroError) as error:
            return {**found, "problem": str(error)}
        if answer.get("unreachable"):
            return {**found, "unreached": str(answer.get("msg"))}
        if answer.get("failed"):
            said = (answer.get(key) for key in ("module_stderr", "module_stdout", "msg"))
            return {**found, "problem": str(next(filter(None, said), ""))}
        return {**found, "ended": time.time(), "facts": answer["facts"]}

    def _login(self, own: dict[str, Any]) -> str:
        """What the registry is asked with; that its password lacks is said elsewhere."""
        request: Any = {
            "stack": own["stack"],
            "environment": own["environment"],
            "secret_names": [],
            **host_variables.settings({**own, "variables": {}, "version": ""}, own["stack"]),
        }
        try:
            values = controller.read_secrets(request, self._loader, registry=True)
        except MaestroError:
            return json.dumps({"secrets": {}, "login": {}})
        return controller.payload(values, [], request)

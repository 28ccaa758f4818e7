"""Read a stack's logs on its host and show them."""

from __future__ import annotations

import time
from typing import Any

from ansible.utils.display import Display

from maestro.play import following
from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `logs`; changes nothing."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        host = (task_vars or {})["inventory_hostname"]
        if args.pop("follow", False):
            return self._follow(args, task_vars, str(host))
        result = super().step(args, task_vars)
        if "text" in result:
            Display().display(f"{host}:\n{result['text'] or '(no lines)'}\n")
        return result

    def _follow(
        self, args: dict[str, Any], task_vars: dict[str, Any] | None, host: str
    ) -> dict[str, Any]:
        """Look again until somebody ends the run, or a look fails."""
        follower = following.Follower(str(args["since"]), str(args["tail"]))
        while True:
            asked = {"since": follower.since, "tail": follower.tail, "timestamps": True}
            result = super().step({**args, **asked}, task_vars)
            if "text" not in result:
                return result
            if new := follower.new(result["text"]):
                Display().display("\n".join(f"{host}: {line}" for line in new.splitlines()))
            time.sleep(following.PAUSE)

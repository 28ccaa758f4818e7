"""Hold a host back when another one failed the same step."""

from __future__ import annotations

from typing import Any

from maestro.errors import MaestroError
from maestro.play.action import LocalAction


class ActionModule(LocalAction):
    """Fail unless the registered results ``steps`` are successes on all ``hosts``.

    A skipped step counts as one: the host had nothing to do in it.
    """

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task."""
        hostvars = task_vars["hostvars"]
        missing = [
            host
            for host in args["hosts"]
            if not all(_passed(hostvars[host].get(step)) for step in args["steps"])
        ]
        if missing:
            raise MaestroError(
                f"held back: {', '.join(missing)} failed",
                fix="a release goes in on every host or on none; see the failed host's message",
            )
        return {}


def _passed(step: Any) -> bool:
    return bool(step) and not step.get("failed") and not step.get("unreachable")

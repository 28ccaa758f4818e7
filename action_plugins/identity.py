"""Ask a host what it is, or tell it; who does it is known here."""

from __future__ import annotations

from typing import Any

from maestro.host.identity import Identity
from maestro.play import operator
from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `identity`; ``settings`` are compared here where it only asks."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers, with the ``settings`` that were asked about."""
        asked, state = args.get("state") == "asked", args.get("state", "present")
        settings = dict(args.get("settings") or {})
        if "environment" in settings:
            settings = Identity.of(settings).as_dict()
        if self._task.check_mode and not asked:
            return {"changed": state == "present"}
        given = {"settings": {} if asked else settings, "by": operator.who()}
        answer = super().step({"stack": "", **args, **given}, task_vars)
        if asked and not answer.get("failed"):
            there = answer["identity"]
            same = all(there.get(key) == value for key, value in settings.items())
            answer |= {"settings": settings, "same": same}
        return answer

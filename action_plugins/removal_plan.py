"""Decide what a removal takes from every host, and show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro import records
from maestro.plan import removal, rollout
from maestro.play import controller
from maestro.play.action import DecisionAction


class ActionModule(DecisionAction):
    """From what the hosts have alone: the stack's files may be gone."""

    record = records.Removal

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> rollout.Decision:
        """The decision, from the states of the hosts that were reached."""
        asked = removal.Asked(
            stack=str(args["stack"]),
            environment=str(args["environment"]),
            volumes=list(args["volumes"]),
            approved_by=str(args["approved_by"]),
            dry=self._task.check_mode,
            run=controller.this_run(),
        )
        return removal.decide(asked, states)

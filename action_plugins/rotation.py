"""Decide which services get which new secrets, and show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro import records
from maestro.plan import rollout, rotation
from maestro.play import controller
from maestro.play.action import DecisionAction
from maestro.secrets import renewal


class ActionModule(DecisionAction):
    """What runs, with other versions of the secrets that are new."""

    record = records.History

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> rollout.Decision:
        """The decision, from the states of the hosts that were reached."""
        asked = rotation.Asked(
            stack=str(args["request"]["stack"]),
            environment=str(args["request"]["environment"]),
            choice=renewal.of_round(args["chosen"], args["names"]),
            approved_by=str(args["request"]["approved_by"]),
            dry=self._task.check_mode,
            run=controller.this_run(),
        )
        return rotation.decide(asked, states)

"""Decide how every host goes back, and show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro import records
from maestro.plan import rollback, rollout
from maestro.play import controller
from maestro.play.action import DecisionAction
from maestro.play.values import boolean


class ActionModule(DecisionAction):
    """From what the hosts recorded alone."""

    record = records.History

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> rollout.Decision:
        """The decision, from the states of the hosts that were reached."""
        asked = rollback.Asked(
            stack=str(args["stack"]),
            environment=str(args["environment"]),
            to=str(args["to"]),
            accept_schema=boolean(args["accept_schema"], "deploy_accept_schema"),
            accept_volume_change=boolean(
                args["accept_volume_change"], "deploy_accept_volume_change"
            ),
            approved_by=str(args["approved_by"]),
            dry=self._task.check_mode,
            run=controller.this_run(),
        )
        return rollback.decide(asked, states)

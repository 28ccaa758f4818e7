"""Decide the plan of every host from the states that were read, and show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro import records
from maestro.plan import deploy, rollout, wanted
from maestro.play import controller
from maestro.play.action import DecisionAction


class ActionModule(DecisionAction):
    """The one place where a deploy is decided; it runs once, on the controller."""

    record = records.State

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> rollout.Decision:
        """The decision, from the states of the hosts that were reached."""
        return deploy.decide(
            wanted.Inputs(
                request=args["request"],
                states=states,
                resolver=str(args["resolver"]),
                waves=tuple(map(str, args["waves"])),
                run=controller.this_run(),
            )
        )

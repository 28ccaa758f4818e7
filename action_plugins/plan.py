"""Decide the plan of every host from the states that were read, and show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maestro import records
from maestro.plan import deploy, rollout, wanted
from maestro.play import controller, local_images
from maestro.play.action import AGAIN, DecisionAction


class ActionModule(DecisionAction):
    """The one place where a deploy is decided; it runs once, on the controller."""

    record = records.State

    def answer(
        self, states: Mapping[str, Any], lost: Sequence[str], hostvars: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The decision, or that the states have to be read ``again`` before there can be one."""
        # The first host asks the registry: when it is lost, another one has to. Of a promotion
        # there is no request yet.
        args = self._task.args
        if not args["request"] or (args["hosts"][0] in lost and not args["looked_again"]):
            return dict(AGAIN)
        return super().answer(states, lost, hostvars)

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> rollout.Decision:
        """The decision, from the states of the hosts that were reached."""
        if args["request"].get("images") == local_images.SSH:
            states = local_images.resolved(states)
        return deploy.decide(
            wanted.Inputs(
                request=args["request"],
                states=states,
                resolver=str(args["resolver"]),
                waves=tuple(map(str, args["waves"])),
                run=controller.this_run(),
            )
        )

"""Decide what is promoted, from the answers of the hosts of another environment."""

from __future__ import annotations

import time
from typing import Any

from maestro.errors import MaestroError
from maestro.plan import promotion
from maestro.play import controller
from maestro.play.action import LocalAction
from maestro.records import VerifiedFacts


class ActionModule(LocalAction):
    """Answers ``promoted``, which the request of a deploy carries on."""

    def done(
        self,
        args: dict[str, Any],
        task_vars: dict[str, Any],  # noqa: ARG002 -- what every action gets
    ) -> dict[str, Any]:
        """Answer the task."""
        environment = str(args["promote"])
        if environment == str(args["environment"]):
            raise MaestroError(
                f"{environment} cannot be promoted to itself",
                where="-e promote",
                fix="name the other environment, where it was verified, or deploy without promote",
            )
        answers = {str(item["item"]): item for item in args["answers"]}
        if not answers:
            raise MaestroError(
                f"no host of the inventory is of {environment}",
                where="-e promote",
                fix="name an environment of the inventory, as maestro_environment says it",
            )
        asked = promotion.Asked(
            str(args["stack"]),
            environment,
            time.strftime(promotion.TIME, time.gmtime()),
            float(args["hours"]),
            str(args["version"] or ""),
            tuple(map(str, args["differs"])),
        )
        found = controller.whole(controller.reached(answers), VerifiedFacts)
        if lost := sorted(set(answers) - set(found)):
            raise MaestroError(
                f"they cannot be reached, so nobody knows what {environment} runs",
                where=", ".join(lost),
                fix="promote when they answer",
            )
        return {"promoted": promotion.choose(asked, found)}

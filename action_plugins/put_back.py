"""Put the release back that served."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `put_back`."""

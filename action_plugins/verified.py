"""Read what a host of another environment runs and has verified."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `verified`."""

"""Run the smoke checks."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `smoke`."""

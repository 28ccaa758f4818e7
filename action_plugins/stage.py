"""Stage a release beside the one that serves."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `stage`."""

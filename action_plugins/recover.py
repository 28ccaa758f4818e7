"""Roll back what a lost deploy did not finish."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `recover`."""

"""Migrate before anything is replaced."""

from __future__ import annotations

from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `migrate`."""

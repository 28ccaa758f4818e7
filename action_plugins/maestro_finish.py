"""Drop what no release needs any more."""

from __future__ import annotations

from maestro.action import StepAction


class ActionModule(StepAction):
    """Takes the step `maestro_finish`."""

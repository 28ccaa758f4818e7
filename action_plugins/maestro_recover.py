"""Put back what a vanished run left half-done."""

from __future__ import annotations

from maestro.action import StepAction


class ActionModule(StepAction):
    """Takes the step `maestro_recover`."""

"""Read what a host runs and can go back to."""

from __future__ import annotations

from maestro.play.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `history`."""

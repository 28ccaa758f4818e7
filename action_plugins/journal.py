"""Read what happened to the stacks of a host."""

from __future__ import annotations

from maestro.play.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `journal`."""

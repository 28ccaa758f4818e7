"""Read what happened to the stacks of a host."""

from __future__ import annotations

from maestro.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `maestro_journal`."""

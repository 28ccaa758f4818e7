"""Read what a host runs and what was changed by hand."""

from __future__ import annotations

from maestro.play.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `overview`."""

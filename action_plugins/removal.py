"""Read what a host has of a stack."""

from __future__ import annotations

from maestro.play.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `removal`."""

"""Take a stack's lease, or give it back."""

from __future__ import annotations

from maestro.play.sequence import LeaseAction


class ActionModule(LeaseAction):
    """Takes the step `lease`."""

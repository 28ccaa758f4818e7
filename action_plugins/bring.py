"""Take the lease, fetch a release, migrate and exchange services, in one call."""

from __future__ import annotations

from maestro.play.bringing import BringAction


class ActionModule(BringAction):
    """Takes all steps of a host that changes alone, up to its commit."""

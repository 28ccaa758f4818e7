"""Take the lease and bring a release to a host, in one call."""

from __future__ import annotations

from maestro.play.bringing import BeginAction


class ActionModule(BeginAction):
    """Takes the steps `lease`, `pull`, `stage` and `secrets`."""

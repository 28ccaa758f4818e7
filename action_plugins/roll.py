"""Exchange services and make the smoke checks, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro.play import parts, sequence


class ActionModule(sequence.SequenceAction):
    """``work`` is the host's part of the plan."""

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        names = ("kind", "together", "canary", "timeout", "settle")
        how = {name: args[name] for name in names}
        return parts.roll(sequence.held(args), args["work"], how)

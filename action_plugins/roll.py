"""Exchange services and make the smoke checks, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro.host.rules import UPDATE
from maestro.play import parts, sequence


class ActionModule(sequence.SequenceAction):
    """``number`` is that of the wave, from 0."""

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        decision = args["decision"]
        how = {
            "kind": decision["kind"],
            "together": decision["together"],
            "canary": int(args["number"]) == 0 and decision["kind"] == UPDATE,
            "timeout": args["timeout"],
            "settle": args["settle"],
        }
        return parts.roll(sequence.held(args), args["work"], how)

"""Commit a release and tidy up, in one call where no other host has to commit between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro.play import parts, sequence


class ActionModule(sequence.SequenceAction):
    """``work`` is the host's part of the plan; ``alone``: no other host changes in this run."""

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        held = sequence.held(args)
        found = parts.commit(held, args["work"], str(args["kind"]), args["timeout"])
        return found + (parts.finish(held, args["keep"]) if args["alone"] else [])

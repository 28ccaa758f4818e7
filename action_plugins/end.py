"""Commit a release and tidy up, in one call where no other host has to commit between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro.play import parts, sequence


class ActionModule(sequence.SequenceAction):
    """Where others change as well, nothing of the old release goes before all have committed."""

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        held = sequence.held(args)
        decision = args["decision"]
        found = parts.commit(held, args["work"], str(decision["kind"]), args["timeout"])
        alone = len(decision["changing"]) == 1
        return found + (parts.finish(held, args["keep"]) if alone else [])

"""Exchange services and make the smoke checks, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestro.play import bringing, parts, sequence


class ActionModule(sequence.SequenceAction):
    """``number`` is that of the wave, from 0."""

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        return bringing.roll(sequence.held(args), args, int(args["number"]))

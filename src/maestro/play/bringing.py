"""The steps by which a host gets a release: all that comes before its commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..host.rules import UPDATE
from . import parts as parts_of
from . import sequence
from .parts import Part

if TYPE_CHECKING:
    from ..records import DeployRequest


class BeginAction(sequence.SequenceAction):
    """Lease, pull, stage, secrets: nothing of it touches what runs.

    ``lease`` is one that was taken already, or empty.
    """

    def parts(self, args: Mapping[str, Any]) -> list[Part]:
        """The steps that this host needs."""
        return self.begin(args)[1]

    def begun(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The lease that was taken already, for the following tasks."""
        return {**super().begun(args), "token": str(args["lease"])}

    def begin(self, args: Mapping[str, Any]) -> tuple[dict[str, Any], list[Part]]:
        """What every step under the lease gets, and the steps up to the secrets."""
        work, place = args["work"], {name: args[name] for name in ("root", "stack")}
        token, found = str(args["lease"]), []
        if not token:
            numbers = {"limit": args["limit"], "timeout": args["timeout"]}
            claim = sequence.claim({**work["claim"], **numbers})
            token, found = claim["token"], [parts_of.lease(place, work, claim)]
        held = {**place, "lease": token}
        if args["decision"]["fetches"]:
            request: DeployRequest = args["request"]
            payload = sequence.payload_of(request, self._loader)
            found += parts_of.fetch(held, work, str(args["decision"]["kind"]), request, payload)
        return held, found


class BringAction(BeginAction):
    """All of it in one call, where no other host changes: there is no barrier to wait at."""

    def parts(self, args: Mapping[str, Any]) -> list[Part]:
        """The steps that this host needs."""
        held, found = self.begin(args)
        migration = parts_of.migrate(held, args["work"]) if args["decision"]["migrates"] else []
        return [*found, *migration, *roll(held, args, wave=0)]


def roll(held: Mapping[str, Any], args: Mapping[str, Any], wave: int) -> list[Part]:
    """Exchange and smoke checks of a host in the wave of this number, from 0."""
    decision = args["decision"]
    how = {
        "kind": decision["kind"],
        "together": decision["together"],
        "canary": wave == 0 and decision["kind"] == UPDATE,
        "timeout": args["timeout"],
        "settle": args["settle"],
    }
    return parts_of.roll(held, args["work"], how)

"""Take the lease and bring a release to a host, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maestro.play import parts, sequence

if TYPE_CHECKING:
    from maestro import records


class ActionModule(sequence.SequenceAction):
    """Lease, pull, stage, secrets: nothing of it touches what runs.

    ``lease`` is one that was taken already, or empty.
    """

    def parts(self, args: Mapping[str, Any]) -> list[parts.Part]:
        """The steps that this host needs."""
        work, place = args["work"], {name: args[name] for name in ("root", "stack")}
        token, found = str(args["lease"]), []
        if not token:
            numbers = {"limit": args["limit"], "timeout": args["timeout"]}
            claim = sequence.claim({**work["claim"], **numbers})
            token, found = claim["token"], [parts.lease(place, work, claim)]
        if args["decision"]["fetches"]:
            request: records.DeployRequest = args["request"]
            payload = sequence.payload_of(request, self._loader)
            held = {**place, "lease": token}
            found += parts.fetch(held, work, str(args["decision"]["kind"]), request, payload)
        return found

    def begun(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The lease that was taken already, for the following tasks."""
        return {**super().begun(args), "token": str(args["lease"])}

"""Which task files of the role carry a decision out, in their order.

Nothing is included that has nothing to do: a task that is skipped costs a process for each host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..host.incoming import is_sent

if TYPE_CHECKING:
    from ..records import Decided


@dataclass(frozen=True)
class Part:
    """A file of ``roles/deploy/tasks``; a ``wave`` has its hosts and its number.

    ``after`` are the hosts that must have done what was registered as ``steps`` before it begins.
    """

    file: str
    wave: Sequence[str] = ()
    number: int = 0
    after: Sequence[str] = ()
    steps: Sequence[str] = field(default=())

    def as_item(self) -> dict[str, Any]:
        """As an item of a loop."""
        found = asdict(self)
        return {**found, "gate": {"hosts": found.pop("after"), "steps": found.pop("steps")}}


def parts(decided: Decided, states: Mapping[str, Mapping[str, Any]], agent: str) -> list[Any]:
    """The parts of a run that changes something, each held back by those before it.

    A host whose program is not ``agent`` gets it when it has taken the approval with the lease.
    """
    hosts = decided["changing"]
    found = []
    if any(_sends(decided["hosts"][host]) for host in hosts):
        found.append(Part("send"))
    if any(states[host]["agent"] != agent for host in hosts):
        found.append(Part("lease"))
    if len(hosts) == 1:
        commit = Part("commit", after=hosts, steps=["__deploy_lease"])
        return [part.as_item() for part in (*found, Part("bring"), commit)]
    found.append(Part("begin"))
    before = ["__deploy_lease"]
    if decided["migrates"]:
        found.append(Part("migrate", after=hosts, steps=before))
        before = ["__deploy_migrated"]
    for number, wave in enumerate(decided["waves"]):
        found.append(Part("wave", wave, number, after=hosts, steps=before))
        before = ["__deploy_rolled"]
    found.append(Part("commit", after=hosts, steps=before))
    found.append(Part("finish", after=hosts, steps=["__deploy_committed"]))
    return [part.as_item() for part in found]


def _sends(work: Any) -> bool:
    """Whether images of this machine's Engine have to be sent."""
    return any(is_sent(str(pull["image"])) for pull in work["plan"].get("pulls") or ())

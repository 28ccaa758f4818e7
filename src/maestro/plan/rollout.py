"""The rollout: the plans of all hosts, in which waves they go in, and who is in the way."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.rules import UPDATE
from . import records
from .document import Document

if TYPE_CHECKING:
    from ..records import Decided, Standing, Steps

_WAVE = re.compile(r"^([1-9][0-9]*)(%?)\Z")


@dataclass
class Decision:
    """The plans of all hosts, and per host what the following steps need."""

    release: str
    plans: list[records.Plan]
    digest: str
    hosts: dict[str, Steps]
    # Hosts in the order they are rolled: a wave begins when the one before serves.
    waves: list[list[str]] = field(default_factory=list)
    kind: str = UPDATE
    # What services need of each other is there already: nobody has to wait for another's new one.
    together: bool = False
    # What an operator must know besides the plan.
    notes: list[str] = field(default_factory=list)
    approved_by: str = ""
    # What the hash is of, and what proves an approval: see `document.seal`.
    document: Document | None = None
    approval: dict[str, str] = field(default_factory=dict)

    def answer(self) -> Decided:
        """The decision as the following steps read it."""
        changing = [plan.host for plan in self.plans if plan.changes]
        for host, work in self.hosts.items():
            work["claim"] |= {"approved_by": self.approved_by, "plan": self.digest}
            if self.document:
                work["claim"]["approval"] = {**self.document.claim(host), **self.approval}
        return {
            "release": self.release,
            "kind": self.kind,
            "together": self.together,
            "waves": self.waves,
            "plan": self.digest,
            "hosts": self.hosts,
            "fetches": any(self.hosts[host]["staged"] for host in changing),
            "migrates": any(work["migrations"] for work in self.hosts.values()),
            "changing": changing,
        }


def waves(hosts: Sequence[str], sizes: Sequence[str]) -> list[list[str]]:
    """Cut hosts into waves; a size is a number of hosts or a share of all that change (``50%``).

    Each size says how many hosts have the release after that wave; what is left over goes
    in one last wave. Raises `MaestroError` on a size that is neither.
    """
    found: list[list[str]] = []
    done = 0
    for size in sizes:
        match = _WAVE.match(str(size))
        if not match:
            raise MaestroError(
                f"found {size!r} as the size of a wave",
                where="deploy_waves",
                fix='allowed: a number of hosts or a share of them, such as [1, "50%", "100%"]',
            )
        number = int(match[1])
        until = math.ceil(len(hosts) * number / 100) if match[2] else number
        if hosts[done:until]:
            found.append(list(hosts[done:until]))
            done = until
    if hosts[done:]:
        found.append(list(hosts[done:]))
    return found


def held(plan: records.Plan, state: Standing) -> list[MaestroError]:
    """Somebody else who changes the stack on this host right now."""
    lease = state["lease"]
    if not plan.changes or not lease.get("held"):
        return []
    return [
        MaestroError(
            f"{plan.stack} is being changed by {lease['owner']}",
            where=plan.host,
            fix="deploy when it has ended, or let this run wait: -e wait=SECONDS",
        )
    ]

"""What a run says of its approval, and what a host keeps of one that it accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MaestroError

PLAN = "read the plan (maestro.stacks.plan) and have it approved: docs/approval.md"
SHORTEST = 12  # digits of a plan's hash, as a plan shows it


@dataclass(frozen=True)
class Claim:
    """What a run carries: the plan's ``head``, this host's ``part``, and who approved it.

    ``statement`` and ``signature`` are texts, see `signature`, and so is ``token``, see `oidc`;
    where the host knows no approvers, ``approved_by`` and ``approved_plan`` are what was said on
    the command line. ``by`` runs it.
    """

    head: Mapping[str, Any]
    part: Mapping[str, Any]
    by: str = ""
    approved_by: str = ""
    approved_plan: str = ""
    statement: str = ""
    signature: str = ""
    token: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any], by: str) -> Claim:
        """From the ``approval`` of a lease's claim."""
        texts = ("approved_by", "approved_plan", "statement", "signature", "token")
        head, part = said.get("head"), said.get("part")
        if not isinstance(head, Mapping) or not isinstance(part, Mapping):
            raise MaestroError("the plan of this run is not there", fix=PLAN)
        return cls(head, part, by, **{key: str(said.get(key) or "") for key in texts})


@dataclass(frozen=True)
class Approved:
    """What was approved: by whom, and the hash of what each step gets.

    ``needs`` are the steps that must be ``done`` before the release is committed.
    """

    by: str
    plan: str
    steps: Mapping[str, str]
    secrets: Mapping[str, str]
    id: str = ""
    expires: str = ""
    token: str = ""
    release: str = ""
    serves: str = ""
    own: bool = False
    needs: tuple[str, ...] = ()
    done: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Who approved, as the history shows it."""
        return f"{self.by} (own plan)" if self.own else self.by

    @property
    def record(self) -> dict[str, str]:
        """For the history: who approved which plan."""
        return {"approved_by": self.shown, "plan": self.plan[:SHORTEST]}

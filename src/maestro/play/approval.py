"""What a command line may say of an approval, and what it may not switch off.

This is the controller's side: it refuses early, and says what to do. What cannot be got around
stands on the host, see `maestro.host.approval`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from ..host.oidc import Token
from ..host.signature import Statement
from ..plan.document import Document, difference
from . import plan_files
from .values import boolean

# Guards that `-e` may switch on, and never off.
SWITCHES = ("maestro_approval_required", "deploy_approval_required", "deploy_limit_required")
# What a host is, and not what a run says of it.
FACTS = ("maestro_environment", "deploy_environment")
# Whose signature images need.
SIGNING = ("maestro_images_signed_by", "deploy_images_signed_by")
SHORTEST = 12  # digits of a plan's hash, as a plan shows it
_HASH = re.compile(rf"^[0-9a-f]{{{SHORTEST},64}}\Z")


def from_outside(extra: Mapping[str, Any]) -> list[MaestroError]:
    """What the variables of a command line may not say, whichever playbook reads them."""
    return [problem for name, value in extra.items() for problem in _outside(str(name), value)]


def _outside(name: str, value: Any) -> list[MaestroError]:
    if name.startswith("__"):
        what, fix = "this variable is Maestro's own: it cannot be set from outside", "remove it"
    elif name in FACTS:
        what = "the environment of a host cannot be set for one run"
        fix = "set maestro_environment in group_vars/ of the host's group, and choose hosts with -l"
    elif name in SIGNING:
        what = "whose signature images need cannot be set for one run"
        fix = "set maestro_images_signed_by in group_vars/ of the environment"
    elif name in SWITCHES and _off(value, name):
        what = "a guard cannot be switched off for one run"
        fix = "remove it; what holds for an environment is set in its file in group_vars/"
    else:
        return []
    return [MaestroError(what, where=f"-e {name}", fix=fix)]


def _off(value: Any, name: str) -> bool:
    """Whether it could mean no; what is no boolean at all is refused as such, elsewhere."""
    if not isinstance(value, str) or not value.strip() or "{" in value:
        return value is not True
    try:
        return not boolean(value, name)
    except MaestroError:
        return False


def name_of(said: Any) -> str:
    """Who approved, as far as the command line says it; empty where that is no name."""
    text = said.strip() if isinstance(said, str) else ""
    readable = text.isprintable() and any(letter.isalnum() for letter in text)
    return text if readable and text.lower() not in ("none", "null", "true", "false") else ""


def check_claim(environment: str, hosts: str, by: Any, plan: Any) -> None:
    """Refuse a run that nobody approved, or that is not bound to a plan; ``hosts`` is its limit."""
    read = f"read the plan (ansible-playbook maestro.stacks.plan -l {hosts}), then deploy with "
    if not name_of(by):
        raise MaestroError(
            f"{environment} needs an approval",
            where="-e approved_by" if str(by or "") else "",
            fix=f"{read}-e approved_by=NAME -e approved_plan=HASH; where they are signed, with "
            "-e approval=FILE (docs/approval.md)",
        )
    if not _HASH.match(str(plan or "")):
        raise MaestroError(
            f"{environment} needs an approval of one plan, and none was named by its hash",
            where="-e approved_plan",
            fix=f"{read}-e approved_by={name_of(by)} -e approved_plan=HASH",
        )


@dataclass(frozen=True)
class Need:
    """Who asks for an approval of what ``hosts`` are about to do.

    ``inventory`` is whether the inventory asks for one; ``asking`` are the hosts that do, and
    ``unaware`` those that do not: nobody told them. ``limit`` is the run's.
    """

    environment: str
    limit: str
    inventory: bool
    asking: Sequence[str] = ()
    unaware: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        guard: Mapping[str, Any],
        environment: str,
        states: Mapping[str, Mapping[str, Any]],
        changing: Sequence[str],
    ) -> Need:
        """From the states of the hosts; ``guard`` is as for `controller.guard_play`."""
        identities = {host: states[host].get("identity") or {} for host in changing}
        return cls(
            environment,
            str(guard.get("limit") or environment),
            boolean(guard["approval_required"], "deploy_approval_required"),
            [host for host, found in identities.items() if found.get("approval")],
            [host for host, found in identities.items() if not found.get("approval")],
        )


def settled(document: Document, guard: Mapping[str, Any], need: Need) -> dict[str, str]:
    """What the hosts get as the approval of a plan; `MaestroError` where it is not approved.

    ``guard`` has ``approved_by``, ``approved_plan`` and ``approval`` (a file's path).
    """
    if need.inventory and need.unaware:
        raise MaestroError(
            f"{need.environment} asks for approvals, and these hosts do not know of it: they "
            "were provisioned before, or by an older version of Maestro",
            where=", ".join(need.unaware),
            fix=f"ansible-playbook maestro.stacks.provision -l {','.join(need.unaware)} "
            "--tags host_identity",
        )
    path = str(guard.get("approval") or "")
    if path:
        return _of_file(Path(path).expanduser(), document)
    by, plan = guard.get("approved_by"), str(guard.get("approved_plan") or "")
    if need.asking:
        check_claim(need.environment, need.limit, by, plan)
    check_plan(plan, document)
    return {"approved_by": name_of(by), "approved_plan": plan}


def check_plan(approved: str, document: Document) -> None:
    """Refuse a hash that was approved for another plan; what differs is named where it is known."""
    if not approved or document.hash.startswith(approved):
        return
    before = plan_files.recalled(approved)
    raise MaestroError(
        f"the approval is for plan {approved}, but the plan is now {document.hash[:SHORTEST]}"
        f"{_difference(before, document)}",
        where="-e approved_plan",
        fix="something changed since it was read: read the new plan and approve that",
    )


def _of_file(path: Path, document: Document) -> dict[str, str]:
    """A signed approval. Whether it is valid here is the hosts' to say."""
    found = plan_files.read_approval(path)
    token = Token.read(found.token) if found.token else None
    plan = token.plan if token else Statement.read(found.statement).plan
    if plan != document.hash:
        before = found.plan if found.plan.hash == plan else None
        raise MaestroError(
            f"the approval is for plan {plan[:SHORTEST] or 'none'}, but the plan is now "
            f"{document.hash[:SHORTEST]}{_difference(before, document)}",
            where=str(path),
            fix="something changed since it was approved: have the new plan approved",
        )
    if token:
        return {"approved_by": token.shown, "token": token.text}
    return {
        "approved_by": Statement.read(found.statement).approver,
        "statement": found.statement,
        "signature": found.signature,
    }


def _difference(before: Document | None, document: Document) -> str:
    if before is None:
        return ""
    lines = difference(before, document)
    return "".join(["\nthese differ:", *(f"\n  {line}" for line in lines)])

"""What a command line may say of an approval, and what it may not switch off.

This is the controller's side: it refuses early, and says what to do. What cannot be got around
stands on the host, see `maestro.host.approval`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import MaestroError
from .values import boolean

# Guards that `-e` may switch on, and never off.
SWITCHES = ("maestro_approval_required", "deploy_approval_required", "deploy_limit_required")
# What a host is, and not what a run says of it.
FACTS = ("maestro_environment", "deploy_environment")
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
    read = f"read the plan (ansible-playbook playbooks/plan.yml -l {hosts}), then deploy with "
    if not name_of(by):
        raise MaestroError(
            f"{environment} needs an approval",
            where="-e approved_by" if str(by or "") else "",
            fix=f"{read}-e approved_by=NAME -e approved_plan=HASH",
        )
    if not _HASH.match(str(plan or "")):
        raise MaestroError(
            f"{environment} needs an approval of one plan, and none was named by its hash",
            where="-e approved_plan",
            fix=f"{read}-e approved_by={name_of(by)} -e approved_plan=HASH",
        )

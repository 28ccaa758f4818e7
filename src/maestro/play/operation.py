"""Plans of what is done at once and without a lease: provisioning, the maintenance page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..host.beginning import PROVISION
from ..plan.document import Document
from . import agent_archive, approval, plan_files
from .values import boolean

if TYPE_CHECKING:
    from ..records import PlanPart


def document(args: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]]) -> Document:
    """The plan; ``states`` are what hosts answered when they were asked what they are.

    ``args`` has ``operation``, ``environment`` and perhaps ``stack``.
    """
    operation, stack = str(args["operation"]), str(args.get("stack") or "")
    program = {"program": agent_archive.identity()} if operation == PROVISION else {}
    parts = {host: _part(state, program) for host, state in states.items()}
    text = "\n".join(_text(operation, stack, host, state) for host, state in states.items())
    return Document(operation, stack, str(args["environment"]), [], parts, text)


def _part(state: Mapping[str, Any], program: Mapping[str, str]) -> PlanPart:
    there = state["identity"]
    part = {"root": there["root"], "operations": there["operations"], "settings": state["settings"]}
    return cast("PlanPart", {**part, **program})


def _text(operation: str, stack: str, host: str, state: Mapping[str, Any]) -> str:
    there = state["identity"]
    lines = [f"{operation}{f' of {stack}' if stack else ''} on {host}"]
    for key, value in state["settings"].items():
        if there.get(key) != value:
            lines.append(f"    set       {key}: {_shown(there.get(key))} -> {_shown(value)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return (
            ", ".join(str(item["name"] if isinstance(item, Mapping) else item) for item in value)
            or "none"
        )
    return "none" if value is None or value == "" else str(value).lower()


def approved(
    plan: Document,
    guard: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Any]],
    lost: Sequence[str],
    *,
    dry: bool,
) -> dict[str, str]:
    """What the hosts get as the approval, see `approval.settled`; nothing in a ``dry`` run."""
    need = approval.Need.of(guard, plan.environment, states, list(states))
    if plan.operation == PROVISION:
        # This is what tells them what they are.
        need = approval.Need(need.environment, need.limit, need.inventory, need.asking)
    if dry or boolean(guard["plan_only"], "plan_only"):
        plan_files.remember(plan)
        if guard.get("plan_file"):
            text = plan_files.text(plan, changes=True, lost=list(lost))
            Path(str(guard["plan_file"])).expanduser().write_text(text, encoding="utf-8")
        return {}
    if not need.asking and not (need.inventory and need.unaware):
        return {}
    return approval.settled(plan, guard, need)

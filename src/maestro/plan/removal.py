"""Removing a stack from hosts: what goes, what stays, and what stands in the way."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all
from ..host.removal import Found
from . import document, rollout
from .records import KEEP, REMOVE, Besides, Plan, Step
from .run import Run

if TYPE_CHECKING:
    from ..records import Removal, RemovalWork


@dataclass(frozen=True)
class Asked:
    """What is asked for; ``volumes`` are the names, as the Engine has them, that go as well."""

    stack: str
    environment: str
    volumes: Sequence[str] = ()
    approved_by: str = ""
    dry: bool = False
    run: Run = field(kw_only=True)


def decide(asked: Asked, states: Mapping[str, Removal]) -> rollout.Decision:
    """The plan of every host, or all reasons against it.

    ``states`` maps hosts to the answers of `host.removal.read`.
    """
    found = {host: Found(**state["found"]) for host, state in states.items()}
    problems = [*_unknown(asked, found)]
    plans = []
    for host, state in states.items():
        plan = _plan(asked, host, state, found[host])
        problems += _in_use(asked, host, found[host])
        problems += [] if asked.dry else rollout.held(plan, state)
        plans.append(plan)
    raise_all(problems)
    decision = rollout.Decision("", plans, "", {}, approved_by=asked.approved_by)
    decision.hosts = {plan.host: _work(asked, plan, states[plan.host]) for plan in plans}
    decision.waves = rollout.waves([plan.host for plan in plans if plan.changes], ["100%"])
    content = {
        host: {"volumes": list(there.volumes), **_kept(there)} for host, there in found.items()
    }
    document.seal(decision, "removal", states, content)
    return decision


def _kept(found: Found) -> dict[str, list[str]]:
    """What of the stack the plan names in numbers."""
    return {"releases": list(found.releases), "containers of others": list(found.strangers)}


def _unknown(asked: Asked, found: Mapping[str, Found]) -> list[MaestroError]:
    problems = []
    if not any(there.known or there.services for there in found.values()):
        problems.append(
            MaestroError(
                f"the stack {asked.stack} was never deployed to these hosts",
                where="-e stack",
                fix="maestro.stacks.status without a stack lists those that are there",
            )
        )
    volumes = sorted({name for there in found.values() for name in there.volumes})
    for name in asked.volumes:
        # Who runs a removal again names a volume that is gone by now.
        if name not in volumes and volumes:
            close = difflib.get_close_matches(name, volumes, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            problems.append(
                MaestroError(
                    f"the stack {asked.stack} has no volume {name}",
                    where="-e volumes",
                    fix=f"{hint}it has: {', '.join(volumes)}",
                )
            )
    return problems


def _in_use(asked: Asked, host: str, found: Found) -> list[MaestroError]:
    """Networks, and volumes that are to go, that containers of others use."""
    going = {*found.networks, *asked.volumes}
    return [
        MaestroError(
            f"{name} of the stack {asked.stack} is used by {', '.join(users)}",
            where=host,
            fix="remove what uses it first, or take it off this "
            f"{'network' if name in found.networks else 'volume'}",
        )
        for name, users in sorted(found.used.items())
        if name in going
    ]


def _plan(asked: Asked, host: str, state: Removal, found: Found) -> Plan:
    manifest = state["release"]
    plan = Plan(
        host=host,
        stack=asked.stack,
        environment=asked.environment,
        release=str(manifest.get("id", "")),
        version_before=str(manifest.get("version", "")),
        version="",
        steps=[Step(REMOVE, name) for name in found.services],
        routes=dict.fromkeys(found.routes, "removed"),
    )
    gone = [
        *(f"network {name}" for name in found.networks),
        *(f"secret {name} in all its versions" for name in found.secrets),
        *(f"volume {name} with all its data" for name in found.volumes if name in asked.volumes),
        *(f"image {name}" for name in found.images),
    ]
    if found.releases:
        many = f"{len(found.releases)} release{'s' if len(found.releases) > 1 else ''}"
        gone.append(f"{many}: no release is left to roll back to")
    plan.removals = [Besides(REMOVE, what) for what in gone]
    plan.removals += [
        Besides(KEEP, f"volume {name} (to remove its data too: -e volumes={name})")
        for name in found.volumes
        if name not in asked.volumes
    ]
    plan.warnings = [
        f"{name} stays: Maestro did not deploy it" for name in found.strangers if not found.services
    ]
    return plan


def _work(asked: Asked, plan: Plan, state: Removal) -> RemovalWork:
    """What the steps after the plan need on one host; see `work.work`."""
    return {
        "plan": plan.as_dict(),
        "release": "",
        "staged": "",
        "claim": {
            "by": asked.run.by,
            "purpose": "removal",
            "release": "",
            "serves": plan.release,
            "armed": bool(plan.release),
        },
        "expect": {
            "release": plan.release,
            "containers": sorted(str(item["id"]) for item in state["containers"]),
        },
        "migrations": [],
        "volumes": [name for name in asked.volumes if name in state["found"]["volumes"]],
    }

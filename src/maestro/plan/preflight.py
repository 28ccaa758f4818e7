"""Why a host cannot take a plan; nothing was changed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.ports import Taken
from ..host.resources import Resources
from ..release.render import Rendered
from ..stack import ports
from ..stack.model import memory
from . import addresses, host_limits, host_mounts, networks
from .records import CREATE, KEEP, REPLACE, SCALE, Plan

if TYPE_CHECKING:
    from ..records import Serving, State

# The versions this release was tested with at both ends, see docs/hosts.md.
ENGINE_MINIMUM = (25, 0)
COMPOSE_MINIMUM = (2, 24)
MEBIBYTE = 1 << 20
UNPACKED = 3  # an unpacked layer takes about this many times its compressed size
DISK_RESERVE = 256 * MEBIBYTE  # what must be left for logs and volumes after the pull
ROOT_RESERVE = 16 * MEBIBYTE  # for releases, configs and secrets


def preflight(plan: Plan, rendered: Rendered, state: State) -> list[MaestroError]:
    """Why this host cannot take the plan; empty when it can. Nothing was changed yet."""
    engine = state["engine"]
    fresh = plan.services(CREATE, REPLACE, SCALE)
    problems = [
        *_too_old(plan.host, "Docker Engine", str(engine["version"]), ENGINE_MINIMUM),
        *_too_old(plan.host, "Docker Compose", str(engine["compose"]), COMPOSE_MINIMUM),
        *ports.preflight(
            plan.host,
            {name: rendered.compose["services"][name] for name in rendered.services},
            Taken.all_of(state),
            state.get("absent") or (),
        ),
        *host_limits.problems(plan.host, rendered.compose["services"], engine, fresh),
    ]
    needed = sum(int(pull["size"]) for pull in plan.pulls) * UNPACKED + DISK_RESERVE
    if plan.changes and engine["free"] < needed:
        problems.append(
            MaestroError(
                f"not enough disk space: {_size(needed)} needed, {_size(engine['free'])} free",
                where=f"{plan.host}: {engine['data']}",
                fix="free some space (`docker image prune`; `docker system df` shows what uses it) "
                "or enlarge the disk; nothing was changed",
            )
        )
    if plan.changes and engine["root_free"] < ROOT_RESERVE:
        problems.append(
            MaestroError(
                f"not enough disk space for releases: {_size(ROOT_RESERVE)} needed, "
                f"{_size(engine['root_free'])} free",
                where=plan.host,
                fix="free some space or enlarge the disk; nothing was changed",
            )
        )
    wanted = sum(memory(service) for service in rendered.compose["services"].values())
    if wanted > int(engine["memory"]):
        problems.append(
            MaestroError(
                f"the memory limits add up to {_size(wanted)}, the host has "
                f"{_size(engine['memory'])}",
                where=plan.host,
                fix="lower deploy.resources.limits.memory of the stack, or use a larger host",
            )
        )
    return problems


def _too_old(host: str, what: str, found: str, least: tuple[int, ...]) -> list[MaestroError]:
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers >= least:
        return []
    wanted = ".".join(map(str, least))
    return [
        MaestroError(
            f"{what} {found} is too old, {wanted} or newer is needed"
            if found
            else f"{what} was not found, {wanted} or newer is needed",
            where=host,
            fix="run maestro.stacks.provision for this host",
        )
    ]


def resource_problems(
    plan: Plan,
    rendered: Rendered,
    state: Serving,
    *,
    accept_volume_change: bool = False,
) -> list[MaestroError]:
    """Networks and volumes of a release that this host lacks, or cannot have as the file says.

    A volume that is not as the file says, and is accepted so, is a warning of the plan.
    """
    there = Resources.of(state)
    if not state.get("resources"):
        return []
    changed = networks.changed_volumes(plan.host, rendered.compose, state["file"], there)
    if accept_volume_change:
        plan.warnings += [f"{problem.what}; it stays as it is" for problem in changed]
        changed = []
    found = networks.preflight(plan.host, rendered.compose, there, plan.networks, plan.stack)
    renewed = {item.name for item in plan.networks}
    staying = [c for c in state["containers"] if c["service"] in plan.services(KEEP)]
    found += addresses.problems(plan.host, rendered.compose, there, renewed, staying)
    coming = plan.services(CREATE, REPLACE, SCALE)
    engine, lost = state.get("engine"), state.get("missing") or ()
    version = str(engine.get("compose")) if engine else ""
    found += host_mounts.problems(plan.host, coming, rendered.compose, lost, version)
    return [*found, *changed]


def _size(value: float) -> str:
    return f"{value / MEBIBYTE:.0f} MiB" if value < 10240 * MEBIBYTE else f"{value / 2**30:.0f} GiB"

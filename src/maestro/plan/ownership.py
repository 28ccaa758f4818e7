"""Who owns what on a host: what a plan may not touch, and what an operator must know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host import neighbours
from ..host.resources import Resources
from ..release.render import Rendered
from ..stack import isolation, routes
from . import accounts, adoption, names, userns
from .records import Plan
from .wanted import Wanted

if TYPE_CHECKING:
    from ..records import Route, Serving, State


def judge(
    plan: Plan,
    wanted: Wanted,
    rendered: Rendered,
    state: State,
    asked: adoption.Asked,
) -> list[MaestroError]:
    """Why the plan would take what is another's; adds to the plan what it is told of.

    ``state`` is the answer of `host.state.read`.
    """
    others, there = neighbours.of(state), Resources.of(state)
    share = wanted.extension.get("share") or {}
    plan.shares = names.share_changes(
        state["release"].get("names") or {},
        names.recorded(plan.stack, rendered.compose, wanted.extension),
    )
    readers = accounts.shared(rendered.secret_files, state)
    plan.exceptions = [made.text for made in wanted.exceptions]
    plan.warnings += [
        *accounts.warnings(readers),
        *wanted.warnings,
        *routes.warnings(plan.stack, wanted.routes, state["edge"]),
        *names.warnings(plan.stack, rendered.compose, others, there),
        *adoption.warnings(rendered.services, state, asked),
        *adoption.reused(rendered.compose, state),
        *userns.warnings(rendered.compose, state),
    ]
    return [
        *blocked(plan.host, plan.stack, rendered, wanted.routes, state, asked),
        *adoption.on_networks(plan.host, plan.networks, rendered.services, state, asked),
        *_beside_the_edge(plan.host, wanted, state),
        *accounts.problems(plan.host, plan.environment, readers, asked.accounts),
        *names.unknown_shares(plan.stack, share, rendered.compose),
    ]


def blocked(
    host: str,
    stack: str,
    rendered: Rendered,
    wanted: Sequence[Route],
    state: Serving,
    asked: adoption.Asked,
) -> list[MaestroError]:
    """Names, containers and routes (``wanted``) of a release that another owner has on the host."""
    serving = state["release"].get("routes") or []
    seen = state.get("edge")
    return [
        *(routes.preflight(host, stack, wanted, seen, serving) if seen else []),
        *names.problems(host, stack, rendered.compose, neighbours.of(state), Resources.of(state)),
        *adoption.problems(host, stack, rendered.compose, rendered.services, state, asked),
        *userns.moved(host, stack, state),
        *userns.problems(host, rendered, state),
    ]


def _beside_the_edge(host: str, wanted: Wanted, state: State) -> Iterable[MaestroError]:
    """Services in the host's network with the edge's uid: the kernel lets them share its ports."""
    edge = int((state.get("edge") or {}).get("uid", -1))
    for name, service in sorted(wanted.model["services"].items()):
        image = state["resolved"].get(str(service.get("image")))
        its_own = image.get("user") if image else ""
        user = str(service.get("user") or its_own or "0").partition(":")[0]
        if isolation.in_the_hosts_network(service, wanted.model) and user == str(edge):
            yield MaestroError(
                f"the service {name} runs in the host's network as the uid {edge}, which is the "
                "edge's: it could take over ports 80 and 443",
                where=host,
                fix=f"set another `user` in services.{name}, or give it a network of the stack",
            )

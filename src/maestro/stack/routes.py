"""The routes of a stack: which requests at the edge of a host go to which of its services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host import claims
from . import route_options

if TYPE_CHECKING:
    from ..records import Canary, Edge, Entry, Extension, RateLimit, Route

PERIOD = 60  # seconds a rate limit counts over
DRAIN = 30  # seconds old containers get to finish what they began
CANARY_DURATION = 30  # seconds a canary serves before the rest follows


def rendered(extension: Extension) -> list[Route]:
    """The routes of ``x-maestro`` with every value there, as a release's manifest keeps them.

    Each is ``{name, service, port, hosts, path, health, rate_limit, drain, canary}``;
    ``rate_limit`` and ``canary`` are None where there is none. A rate of 0 is no limit.
    """
    counted: dict[str, int] = {}
    found: list[Route] = []
    for route in extension.get("routes") or []:
        service = str(route["service"])
        number = counted[service] = counted.get(service, -1) + 1
        options = route_options.rendered(route)
        found.append(
            {
                "name": f"{service}-{number}",
                "service": service,
                "port": int(route["port"]),
                "hosts": sorted(_hosts(route)),
                "path": _path(route),
                "health": sorted(str(path) for path in route.get("health") or []),
                "rate_limit": _rate_limit(route.get("rate_limit") or {}),
                "drain": float(route.get("drain", DRAIN)),
                "canary": _canary(route.get("canary") or {}),
                # Only where there are some: releases of before have no such key.
                **({"options": options} if options else {}),  # type: ignore[typeddict-item]
            }
        )
    return found


def problems(extension: Extension, place: str, services: Sequence[str]) -> Iterable[MaestroError]:
    """What is wrong with routes whose shape is right: health paths elsewhere, routes twice.

    Entries that are not of the shape the schema asks for are left to the schema.
    """
    seen: dict[tuple[str, str], str] = {}
    one_shot = _names(extension.get("migrations"))
    for number, route in _mappings(extension.get("routes")):
        where = f"{place}.routes[{number}]"
        path = _path(route)
        service = route.get("service")
        if service in one_shot and service in services:
            yield MaestroError(
                f"{service} is a migration and exits: it cannot answer requests",
                where=f"{where}.service",
                fix="name a service that keeps running",
            )
        yield from route_options.problems(route, where, path)
        health_paths = route.get("health")
        for health in health_paths if isinstance(health_paths, list) else []:
            if not claims.below(str(health), path):
                yield MaestroError(
                    f"found {health}, which is not below {path}",
                    where=f"{where}.health",
                    fix=f"name paths of this route, such as {path.rstrip('/')}/health",
                )
        asked = [(host, path) for host in _hosts(route) or [""]]
        asked += [(host, "/") for host in route_options.hosts(route.get("redirect_from"))]
        for host, path in asked:
            other = seen.setdefault((claims.host(host), claims.plain(path)), where)
            if other != where:
                yield MaestroError(
                    f"the same requests ({host or 'any host'}, {path}) as {other}",
                    where=where,
                    fix="give it another host or path, or remove one of the two",
                )


def two_networks(extension: Extension, place: str) -> Iterable[MaestroError]:
    """Routes of one service that name different networks: a container is reached at one address."""
    first: dict[str, object] = {}
    for number, route in _mappings(extension.get("routes")):
        service, network = route.get("service"), route.get("network")
        if not isinstance(service, str):
            continue
        if first.setdefault(service, network) != network:
            yield MaestroError(
                f"the routes of {service} name different networks",
                where=f"{place}.routes[{number}].network",
                fix="name the same network in each of them, or in none",
            )


def preflight(
    host: str,
    stack: str,
    routes: Sequence[Route],
    edge: Edge,
    in_force: Sequence[Route] = (),
) -> list[MaestroError]:
    """Why a host cannot take these routes; ``edge`` is what `host.edge.look` saw there.

    ``in_force`` are the routes of the running release.
    """
    if not routes:
        return []
    if not edge["installed"]:
        return [
            MaestroError(
                f"{stack} has routes, and this host has no edge",
                where=host,
                fix=f"run maestro.stacks.provision -l {host}; nothing was changed",
            )
        ]
    found = []
    for other, theirs in sorted(edge["routes_of_others"].items()):
        found += [
            MaestroError(
                f"the route {ours.shown} of {stack} takes requests of the stack {other}: "
                f"its route {taken.shown} has them",
                where=f"{host}: {stack}",
                fix=f"give {stack} or {other} a host of its own or another path, in "
                "x-maestro.routes",
            )
            for ours, taken in claims.taken(
                claims.of_routes(routes), claims.of_routes(theirs), claims.of_routes(in_force)
            )
        ]
    return found


def warnings(stack: str, routes: Sequence[Route], edge: Edge) -> list[str]:
    """Requests two stacks claim, and who gets them: what each plan of one of them tells."""
    found = []
    for other, theirs in sorted(edge["routes_of_others"].items()):
        for mine in claims.of_routes(routes):
            for claim in claims.of_routes(theirs):
                if mine.exact or claim.exact or not mine.meets(claim):
                    continue
                winner, loser = (
                    ((stack, mine), (other, claim))
                    if mine.takes(claim)
                    else ((other, claim), (stack, mine))
                )
                found.append(
                    f"requests for {_both(mine, claim)} go to {winner[0]} and not to "
                    f"{loser[0]}, whose route is {loser[1].shown}"
                )
    return found


def _both(one: claims.Claim, other: claims.Claim) -> str:
    """The requests of both, in words."""
    deeper = max((one, other), key=lambda claim: len(claim.path))
    return f"{one.host or other.host or 'any host'}, {deeper.as_written}"


def _hosts(route: Entry) -> list[str]:
    return route_options.hosts(route.get("host"))


def _path(route: Entry) -> str:
    return str(route.get("path") or "/").rstrip("/") or "/"


def _rate_limit(limit: Entry) -> RateLimit | None:
    if not limit or int(limit["average"]) == 0:
        return None
    average = int(limit["average"])
    return {
        "average": average,
        "period": int(limit.get("period", PERIOD)),
        "burst": int(limit.get("burst", average)),
    }


def _canary(canary: Entry) -> Canary | None:
    if not canary:
        return None
    return {
        "weight": int(canary["weight"]),
        "duration": float(canary.get("duration", CANARY_DURATION)),
        "checks": list(canary.get("checks") or []),
    }


def _names(entries: Any) -> set[str]:
    return {str(entry["service"]) for _, entry in _mappings(entries) if "service" in entry}


def _mappings(value: Any) -> list[tuple[int, Entry]]:
    entries = value if isinstance(value, list) else []
    return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]

"""The routes of a stack: which requests at the edge of a host go to which of its services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import MaestroError

PERIOD = 60  # seconds a rate limit counts over
DRAIN = 30  # seconds old containers get to finish what they began
CANARY_DURATION = 30  # seconds a canary serves before the rest follows


def rendered(extension: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The routes of ``x-maestro`` with every value there, as a release's manifest keeps them.

    Each is ``{name, service, port, hosts, path, health, rate_limit, drain, canary}``;
    ``rate_limit`` and ``canary`` are None where there is none. A rate of 0 is no limit.
    """
    counted: dict[str, int] = {}
    found = []
    for route in extension.get("routes") or []:
        service = str(route["service"])
        number = counted[service] = counted.get(service, -1) + 1
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
            }
        )
    return found


def problems(
    extension: Mapping[str, Any], place: str, services: Sequence[str]
) -> Iterable[MaestroError]:
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
                f"{service} migrates and ends: it can answer no requests",
                where=f"{where}.service",
                fix="name a service that keeps running",
            )
        health_paths = route.get("health")
        for health in health_paths if isinstance(health_paths, list) else []:
            if not _below(str(health), path):
                yield MaestroError(
                    f"found {health}, which is not below {path}",
                    where=f"{where}.health",
                    fix=f"name paths of this route, such as {path.rstrip('/')}/health",
                )
        for host in _hosts(route) or [""]:
            other = seen.setdefault((host, path), where)
            if other != where:
                yield MaestroError(
                    f"the same requests ({host or 'any host'}, {path}) as {other}",
                    where=where,
                    fix="give it another host or path, or remove one of the two",
                )


def preflight(
    host: str, stack: str, routes: Sequence[Mapping[str, Any]], edge: Mapping[str, Any]
) -> list[MaestroError]:
    """Why a host cannot take these routes; ``edge`` is what `host.edge.look` saw there."""
    if not routes:
        return []
    if not edge["installed"]:
        return [
            MaestroError(
                f"{stack} has routes, and this host has no edge",
                where=host,
                fix=f"run playbooks/provision.yml -l {host}; nothing was changed",
            )
        ]
    found = []
    for other, theirs in sorted(edge["routes_of_others"].items()):
        taken = {(name, route["path"]) for route in theirs for name in route["hosts"] or [""]}
        ours = {(name, route["path"]) for route in routes for name in route["hosts"] or [""]}
        found += [
            MaestroError(
                f"the stack {other} has the route {name or 'any host'}, {path} already",
                where=f"{host}: {stack}",
                fix="give one of the two another host or path in x-maestro.routes",
            )
            for name, path in sorted(taken & ours)
        ]
    return found


def _hosts(route: Mapping[str, Any]) -> list[str]:
    host = route.get("host") or []
    return [str(name) for name in (host if isinstance(host, list) else [host])]


def _path(route: Mapping[str, Any]) -> str:
    return str(route.get("path") or "/").rstrip("/") or "/"


def _below(path: str, prefix: str) -> bool:
    return prefix in ("/", path) or path.startswith(prefix + "/")


def _rate_limit(limit: Mapping[str, Any]) -> dict[str, int] | None:
    if not limit or int(limit["average"]) == 0:
        return None
    average = int(limit["average"])
    return {
        "average": average,
        "period": int(limit.get("period", PERIOD)),
        "burst": int(limit.get("burst", average)),
    }


def _canary(canary: Mapping[str, Any]) -> dict[str, Any] | None:
    if not canary:
        return None
    return {
        "weight": int(canary["weight"]),
        "duration": float(canary.get("duration", CANARY_DURATION)),
        "checks": list(canary.get("checks") or []),
    }


def _names(entries: Any) -> set[str]:
    return {str(entry["service"]) for _, entry in _mappings(entries) if "service" in entry}


def _mappings(value: Any) -> list[tuple[int, dict[str, Any]]]:
    entries = value if isinstance(value, list) else []
    return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]

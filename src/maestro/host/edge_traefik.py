"""What Traefik is told of a stack: routers, services and middlewares, from its routes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import claims, edge_options, forwarded

if TYPE_CHECKING:
    from ..records import Route

PAGE = "http://127.0.0.1:8078"  # where the agent answers for stacks under maintenance
_WEB, _WEBSECURE = "web", "websecure"
# Joins the parts of a name at the edge: no name of a stack or of a service can hold it, so two
# names that differ in any part differ as a whole. (No reserved character of a URL, RFC 3986, 2.3.)
JOIN = "~"
_HEALTH = "health"
_PROXY = "proxy"


# What Traefik is told


def dynamic(
    stack: str,
    traffic: Mapping[str, Any],
    containers: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    maintenance: bool = False,
) -> dict[str, Any]:
    """Traefik's configuration for one stack.

    ``containers`` maps ids to ``{service, running, healthy, address}``; ``settings`` are the
    host's, see `settings`.
    """
    result: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
    for route in traffic["routes"]:
        name = _named(stack, route["name"])
        found = _services(name, route, traffic["groups"], containers, settings)
        result["services"].update(found)
        if transport := edge_options.transport(route):
            result.setdefault("serversTransports", {})[_part(name, "transport")] = transport
        result["middlewares"].update(_middlewares(name, route, settings))
        result["routers"].update(_routers(name, route, settings, maintenance=maintenance))
    if maintenance:
        page = {"loadBalancer": {"servers": [{"url": PAGE}]}}
        result["services"][_named(stack, "maintenance")] = page
        for name, router in result["routers"].items():
            if name.split(JOIN)[2] != _HEALTH:
                router["service"] = _named(stack, "maintenance")
    # A middleware nothing uses: its name tells which file is in force.
    text = json.dumps(result, sort_keys=True)
    marker = _part(_named(stack, "marker"), hashlib.sha256(text.encode()).hexdigest()[:16])
    result["middlewares"][marker] = {"headers": {"customRequestHeaders": {"X-Route": marker}}}
    return {"http": {key: value for key, value in result.items() if value}}


def _named(stack: str, what: str) -> str:
    """A name at the edge, ``STACK-WHAT~STACK``; more parts may follow, joined in the same way."""
    return f"{stack}-{what}{JOIN}{stack}"


def stack_of(name: str) -> str:
    """Whose a name at the edge is; empty for one that belongs to no stack."""
    parts = name.split(JOIN)
    return parts[1] if len(parts) > 1 else ""


def _part(name: str, *parts: str) -> str:
    return JOIN.join([name, *parts])


def _services(
    name: str,
    route: Route,
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    containers: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """One service, or a weighted one over one for each group that has containers."""
    service = route["service"]
    cookie = edge_options.sticky(route, settings)
    chosen = []
    for group in groups.get(service, []):
        addresses = _alive(group["containers"], containers)
        if addresses and group["weight"] > 0:
            chosen.append((int(group["weight"]), addresses))
    if not chosen:
        anyone = [key for key, value in sorted(containers.items()) if value["service"] == service]
        chosen = [(1, _alive(anyone, containers))]
    if len(chosen) == 1:
        return {name: _balancer(name, route, chosen[0][1], cookie)}
    parts = {_part(name, str(number)): found for number, found in enumerate(chosen)}
    weighted = [{"name": part, "weight": weight} for part, (weight, _) in parts.items()]
    return {
        name: {
            "weighted": {
                "services": weighted,
                **edge_options.sticky(route, settings, "_group"),
            }
        },
        **{
            part: _balancer(name, route, addresses, cookie)
            for part, (_, addresses) in parts.items()
        },
    }


def _alive(wanted: Iterable[str], containers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Addresses of those that run; of the healthy ones alone, where there are any."""
    running = [containers[key] for key in wanted if key in containers]
    running = [item for item in running if item["running"] and item["address"]]
    healthy = [item for item in running if item["healthy"]]
    return [str(item["address"]) for item in healthy or running]


def _balancer(
    name: str, route: Route, addresses: Iterable[str], cookie: Mapping[str, Any]
) -> dict[str, Any]:
    scheme, port = edge_options.options(route).get("protocol", "http"), int(route["port"])
    hosts = (f"[{address}]" if ":" in address else address for address in addresses)
    servers = [{"url": f"{scheme}://{host}:{port}"} for host in hosts]
    transport = _part(name, "transport") if edge_options.transport(route) else "maestro"
    return {"loadBalancer": {"servers": servers, "serversTransport": transport, **cookie}}


def _middlewares(name: str, route: Route, settings: Mapping[str, Any]) -> dict[str, Any]:
    # Traefik tries again only where a server took no connection, never a request it began.
    found: dict[str, Any] = {_part(name, "retry"): {"retry": {"attempts": 2}}}
    found |= {_part(name, key): item for key, item in edge_options.middlewares(route).items()}
    if edge_options.options(route).get("redirect_from"):
        found[_part(name, "redirect")] = edge_options.redirect(route, settings)
    if limit := route.get("rate_limit"):
        rate = {
            "average": limit["average"],
            "burst": limit["burst"],
            "period": f"{limit['period']}s",
        }
        found[_part(name, "rate")] = {"rateLimit": rate}
        if forwarded.proxies(settings):
            by_client = {**rate, **forwarded.source(settings)}
            found[_part(name, "rate", _PROXY)] = {"rateLimit": by_client}
    if settings["redirect_https"]:
        port = int(settings["https_port"])
        found[_part(name, "https")] = {
            "redirectScheme": {
                "scheme": "https",
                "permanent": True,
                **({} if port == 443 else {"port": str(port)}),
            }
        }
    return found


def _routers(
    name: str, route: Route, settings: Mapping[str, Any], *, maintenance: bool
) -> dict[str, Any]:
    """A router for each entry point, and one more for each with the paths of health checks.

    With trusted proxies also those for what comes through them, see `forwarded`.
    """
    limited = bool(route.get("rate_limit")) and not maintenance
    before = [_part(name, key) for key in edge_options.first(route)]
    common = [*before, *([_part(name, "rate")] if limited else [])]
    redirected = bool(settings["redirect_https"])
    after = [] if maintenance else [_part(name, key) for key in edge_options.last(route)]
    retry = [*after, _part(name, "retry")]
    rule, priority = _rule(route)
    base: dict[str, Any] = {"rule": rule, "priority": priority, "service": name}
    secure = {"entryPoints": [_WEBSECURE], "tls": _tls(route, settings)}
    plain = {"entryPoints": [_WEB]}
    first = [_part(name, "https")] if redirected else [*common, *retry]
    found = {
        _part(name, "http"): {**base, **plain, "middlewares": first},
        _part(name, "https"): {**base, **secure, "middlewares": [*common, *retry]},
    }
    if forwarded.proxies(settings):
        by_client = [_part(name, "rate", _PROXY)] if limited else []
        base["middlewares"] = [*before, *by_client, *retry]
        through = forwarded.router(base, settings, by_https=redirected)
        found[_part(name, _PROXY, "http")] = {**through, **plain}
        if limited:
            through = forwarded.router(base, settings)
            found[_part(name, _PROXY, "https")] = {**through, **secure}
    if route["health"]:
        rule, priority = _health_rule(route)
        passes = [*before, *([_part(name, "strip")] if "strip" in edge_options.last(route) else [])]
        passes.append(_part(name, "retry"))
        base = {"rule": rule, "priority": priority, "service": name, "middlewares": passes}
        found[_part(name, _HEALTH, "http")] = {**base, **plain}
        found[_part(name, _HEALTH, "https")] = {**base, **secure}
    return {**found, **_redirected(name, route, settings)}


def _redirected(name: str, route: Route, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A router for each entry point with the hosts that are only redirected."""
    hosts = edge_options.options(route).get("redirect_from")
    if not hosts:
        return {}
    base = {
        "rule": " || ".join(edge_options.host_rule(host) for host in hosts),
        "priority": min(claims.redirect_priority(host) for host in hosts),
        "service": name,
        "middlewares": [_part(name, "redirect")],
    }
    tls = _tls({**route, "hosts": hosts}, settings)
    return {
        _part(name, "redirect", "http"): {**base, "entryPoints": [_WEB]},
        _part(name, "redirect", "https"): {**base, "entryPoints": [_WEBSECURE], "tls": tls},
    }


def is_marker(name: str) -> bool:
    """Whether a middleware is the one that tells which file is in force, see `dynamic`."""
    return name.split(JOIN, maxsplit=1)[0].endswith("-marker")


def _tls(route: Route, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The edge's own certificate, or one that is asked for under the names of the route."""
    if not settings["certificate_resolver"]:
        return {}
    names = route["hosts"] or settings["hosts"]
    domains = [{"main": names[0], "sans": names[1:]}] if names else []
    return {"certResolver": settings["certificate_resolver"], "domains": domains}


def _rule(route: Route) -> tuple[str, int]:
    """A route's rule; a longer path goes before a shorter one, a named host before any."""
    path = str(route["path"])
    parts = [_hosts(route)]
    if path != "/":
        parts.append(f"(Path(`{path}`) || PathPrefix(`{path}/`) || {_with_parameters(path)})")
    else:
        parts.append("PathPrefix(`/`)")
    return " && ".join(filter(None, parts)), claims.priority(route, path)


def _with_parameters(path: str) -> str:
    """The path with parameters (RFC 3986, 3.3): to services that drop them ``/a;x`` is ``/a``."""
    parts = (re.escape(part) for part in path.strip("/").split("/"))
    return "PathRegexp(`^" + "".join(f"/{part}(?:;[^/]*)?" for part in parts) + "(?:/|$)`)"


def _health_rule(route: Route) -> tuple[str, int]:
    exact = " || ".join(f"Path(`{path}`)" for path in route["health"])
    rule = " && ".join(filter(None, [_hosts(route), f"({exact})"]))
    return rule, claims.health_priority(route)


def _hosts(route: Route) -> str:
    names = " || ".join(map(edge_options.host_rule, route["hosts"]))
    return f"({names})" if names else ""

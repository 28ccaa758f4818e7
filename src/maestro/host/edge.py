"""The edge of this host: which containers get the requests of a stack's routes.

Traefik watches a directory. Each stack has one file there, written in one step, from its
``traffic.json``: the routes of its release, and which containers answer them. Traefik's own
API on the loopback address says when a file is in force.
Traefik's file provider: https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file/
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import re
import ssl
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import address, claims, edge_api, forwarded, journal, locks
from .engine import Engine
from .labels import ONE_OFF, SERVICE
from .layout import Layout, write_atomically

DIRECTORY = Path("/etc/maestro/edge")
PAGE = "http://127.0.0.1:8078"  # where the agent answers for stacks under maintenance
IN_FORCE = 10.0  # seconds Traefik may take to follow a new file
PATIENCE = 90.0  # seconds another writer may take: an exchange of the edge is the longest
POLL = 0.05  # seconds between two looks at Traefik or at the connections
# Connections without a request are closed after half a second (`idleConnTimeout`), so a
# connection that is still there carries one. Two looks: one may fall between two requests.
QUIET_LOOKS = 2
_TCP = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_OPEN = ("01", "02")  # established, being opened
_WEB, _WEBSECURE = "web", "websecure"
# Joins the parts of a name at the edge: no name of a stack or of a service can hold it, so two
# names that differ in any part differ as a whole. (No reserved character of a URL, RFC 3986, 2.3.)
JOIN = "~"
_HEALTH = "health"
_PROXY = "proxy"


def installed() -> bool:
    """Whether this host has an edge."""
    return _settings_file().exists()


def assign(
    layout: Layout,
    routes: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    via: Mapping[str, str] | None = None,
    *,
    strict: bool = False,
) -> None:
    """Give the requests of the routes to these containers; return when Traefik does so.

    ``routes`` are those of the release's manifest; ``groups`` is
    ``{service: [{"weight": int, "containers": [container id, ...]}, ...]}``; ``via`` the network
    on which each container was proved to answer.
    Raises `MaestroError` when there is no edge, or it does not follow within ten seconds; when
    it is ``strict`` also where another stack got their requests since the plan was made.
    """
    host = settings()
    traffic = {"routes": list(routes), "groups": dict(groups), "via": dict(via or {})}
    with locked():
        if strict:
            _refuse_taken(layout, routes)
        _write(_traffic_file(layout), traffic)
        _publish(layout, host, Engine())
    _wait(layout, host)


def current(layout: Layout) -> dict[str, Any]:
    """What was last assigned: ``routes``, ``groups`` and ``via``, see `assign`; or ``{}``."""
    return _read(_traffic_file(layout))


def withdraw(layout: Layout) -> None:
    """The stack has no routes any more: its requests find nothing."""
    _traffic_file(layout).unlink(missing_ok=True)
    if not installed():
        return
    file = _route_file(layout.stack)
    marker = _marker_of(file)
    with locked():
        file.unlink(missing_ok=True)
    if marker:
        _wait(layout, settings(), gone=marker)


def drain(layout: Layout, targets: Iterable[tuple[str, int]], limit: float) -> bool:
    """Wait until the edge has no connection to these containers, at most ``limit`` seconds.

    ``targets`` are container ids with the port the edge asks. Returns whether all is quiet.
    """
    known = _addresses(address.book(Engine(), layout.stack, current(layout)))
    wanted = {
        (known[container]["address"], int(port))
        for container, port in targets
        if known.get(container, {}).get("address")
    }
    deadline = time.monotonic() + limit
    quiet = 0
    while wanted:
        quiet = 0 if _connections(wanted) else quiet + 1
        if quiet >= QUIET_LOOKS:
            break
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


def sync(root: Path) -> None:
    """Write every stack's routes anew, with the addresses its containers have now.

    Containers that are gone are left out. Where none of those that were assigned is left,
    any running container of the service answers.
    """
    if not installed():
        return
    host = settings()
    engine = Engine()
    with locked():
        stacks = {path.parent.name for path in root.glob("*/traffic.json")}
        for stack in sorted(stacks):
            _publish(Layout(root, stack), host, engine)
        for file in _dynamic().glob("stack-*.yml"):
            if file.stem.removeprefix("stack-") not in stacks:
                file.unlink()


def maintain(layout: Layout, *, on: bool, by: str = "", check: bool = False) -> bool:
    """Answer the stack's routes with the maintenance page, or no longer; whether that is new.

    The mark stands beside the stack's releases: it outlives deploys and restarts. ``by`` is who
    wants it, for the stack's history. With ``check`` nothing is done.
    """
    host = settings()
    if not layout.home.is_dir():
        raise MaestroError(
            f"the stack {layout.stack} has not been deployed here",
            where=str(layout.home),
            fix="name a stack of this host by -e stack=NAME",
        )
    if on and not current(layout).get("routes"):
        raise MaestroError(
            f"the stack {layout.stack} has no routes: there are no requests that the maintenance "
            "page could answer",
            where=str(layout.home),
            fix="name a stack with x-maestro.routes by -e stack=NAME",
        )
    if under_maintenance(layout) == on:
        return False
    if check:
        return True
    with locked():
        if on:
            _write(_maintenance_file(layout), {"since": int(time.time())})
        else:
            _maintenance_file(layout).unlink()
        if current(layout):
            _publish(layout, host, Engine())
    if current(layout):
        _wait(layout, host)
    claim = {"purpose": f"maintenance page {'on' if on else 'off'}", "by": by}
    journal.note(layout, claim, journal.DONE)
    return True


def under_maintenance(layout: Layout) -> bool:
    """Whether the stack's routes are answered with the maintenance page."""
    return _maintenance_file(layout).exists()


def look(layout: Layout) -> dict[str, Any]:
    """What a plan needs to know of the edge: is there one, and who has which routes."""
    others = {
        path.parent.name: [
            {"hosts": route["hosts"], "path": route["path"], "health": route.get("health") or []}
            for route in _read(path).get("routes", [])
        ]
        for path in layout.root.glob("*/traffic.json")
        if path.parent.name != layout.stack
    }
    return {
        "installed": installed(),
        "maintenance": under_maintenance(layout),
        "routes_of_others": others,
        "names": _certificate_names(),
        "uid": _uid(),
    }


def _refuse_taken(layout: Layout, routes: Sequence[Mapping[str, Any]]) -> None:
    in_force = claims.of_routes(current(layout).get("routes") or ())
    for other, theirs in sorted(look(layout)["routes_of_others"].items()):
        for ours, taken in claims.taken(
            claims.of_routes(routes), claims.of_routes(theirs), in_force
        ):
            raise MaestroError(
                f"the route {ours.shown} takes requests of the stack {other}, which was deployed "
                f"at the same time: its route {taken.shown} has them",
                where=layout.stack,
                fix="give one of the two a host of its own or another path, in x-maestro.routes",
            )


def _certificate_names() -> list[str]:
    """The names in the edge's certificate; none where it is not a file, or clients need none."""
    found = _read(_settings_file())
    if found.get("certificate_resolver") or not found.get("redirect_https"):
        return []
    try:
        # Python has no public reader of a certificate on disk; this one its own tests use.
        told = ssl._ssl._test_decode_cert(str(_settings_file().parent / "certs/edge.crt"))  # type: ignore[attr-defined] # noqa: SLF001
    except (OSError, AttributeError, ssl.SSLError):
        return []
    return [str(name) for _, name in told.get("subjectAltName", ())]


def _uid() -> int:
    """The uid the edge runs as: its directory for certificates is its own; -1 without an edge."""
    try:
        return (DIRECTORY / "acme").stat().st_uid
    except OSError:
        return -1


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
        result["services"].update(_services(name, route, traffic["groups"], containers))
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


def _part(name: str, *parts: str) -> str:
    return JOIN.join([name, *parts])


def _services(
    name: str,
    route: Mapping[str, Any],
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    containers: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """One service, or a weighted one over one for each group that has containers."""
    service, port = route["service"], int(route["port"])
    chosen = []
    for group in groups.get(service, []):
        addresses = _alive(group["containers"], containers)
        if addresses and group["weight"] > 0:
            chosen.append((int(group["weight"]), addresses))
    if not chosen:
        anyone = [key for key, value in sorted(containers.items()) if value["service"] == service]
        chosen = [(1, _alive(anyone, containers))]
    if len(chosen) == 1:
        return {name: _balancer(chosen[0][1], port)}
    parts = {_part(name, str(number)): found for number, found in enumerate(chosen)}
    weighted = [{"name": part, "weight": weight} for part, (weight, _) in parts.items()]
    return {
        name: {"weighted": {"services": weighted}},
        **{part: _balancer(addresses, port) for part, (_, addresses) in parts.items()},
    }


def _alive(wanted: Iterable[str], containers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Addresses of those that run; of the healthy ones alone, where there are any."""
    running = [containers[key] for key in wanted if key in containers]
    running = [item for item in running if item["running"] and item["address"]]
    healthy = [item for item in running if item["healthy"]]
    return [str(item["address"]) for item in healthy or running]


def _balancer(addresses: Iterable[str], port: int) -> dict[str, Any]:
    hosts = (f"[{address}]" if ":" in address else address for address in addresses)
    servers = [{"url": f"http://{host}:{port}"} for host in hosts]
    return {"loadBalancer": {"servers": servers, "serversTransport": "maestro"}}


def _middlewares(
    name: str, route: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    # Traefik tries again only where a server took no connection, never a request it began.
    found: dict[str, Any] = {_part(name, "retry"): {"retry": {"attempts": 2}}}
    if limit := route.get("rate_limit"):
        rate = {key: limit[key] for key in ("average", "burst")}
        rate["period"] = f"{limit['period']}s"
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
    name: str, route: Mapping[str, Any], settings: Mapping[str, Any], *, maintenance: bool
) -> dict[str, Any]:
    """A router for each entry point, and one more for each with the paths of health checks.

    With trusted proxies also those for what comes through them, see `forwarded`.
    """
    limited = bool(route.get("rate_limit")) and not maintenance
    common = [_part(name, "rate")] if limited else []
    redirected = bool(settings["redirect_https"])
    retry = [_part(name, "retry")]
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
        base["middlewares"] = [*([_part(name, "rate", _PROXY)] if limited else []), *retry]
        through = forwarded.router(base, settings, by_https=redirected)
        found[_part(name, _PROXY, "http")] = {**through, **plain}
        if limited:
            through = forwarded.router(base, settings)
            found[_part(name, _PROXY, "https")] = {**through, **secure}
    if route["health"]:
        rule, priority = _health_rule(route)
        base = {"rule": rule, "priority": priority, "service": name, "middlewares": retry}
        found[_part(name, _HEALTH, "http")] = {**base, **plain}
        found[_part(name, _HEALTH, "https")] = {**base, **secure}
    return found


def _tls(route: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The edge's own certificate, or one that is asked for under the names of the route."""
    if not settings["certificate_resolver"]:
        return {}
    names = route["hosts"] or settings["hosts"]
    domains = [{"main": names[0], "sans": names[1:]}] if names else []
    return {"certResolver": settings["certificate_resolver"], "domains": domains}


def _rule(route: Mapping[str, Any]) -> tuple[str, int]:
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


def _health_rule(route: Mapping[str, Any]) -> tuple[str, int]:
    exact = " || ".join(f"Path(`{path}`)" for path in route["health"])
    rule = " && ".join(filter(None, [_hosts(route), f"({exact})"]))
    return rule, claims.health_priority(route)


def _hosts(route: Mapping[str, Any]) -> str:
    names = " || ".join(f"Host(`{host}`)" for host in route["hosts"])
    return f"({names})" if names else ""


# Files


def _settings_file() -> Path:
    return DIRECTORY / "edge.json"


def _dynamic() -> Path:
    return DIRECTORY / "dynamic"


def _route_file(stack: str) -> Path:
    return _dynamic() / f"stack-{stack}.yml"


def _traffic_file(layout: Layout) -> Path:
    return layout.home / "traffic.json"


def _maintenance_file(layout: Layout) -> Path:
    return layout.home / "maintenance.json"


def settings() -> dict[str, Any]:
    """What the role wrote for this host; `MaestroError` where there is no edge.

    ``api_port``, ``redirect_https``, ``https_port`` (as clients see it),
    ``certificate_resolver`` and the ``hosts`` it asks for, ``authority`` (a file to trust),
    ``trusted_proxies`` (networks; an edge of before there were has none).
    """
    found = _read(_settings_file())
    if not found:
        raise MaestroError(
            "this host has no edge, and the stack has routes",
            where=str(_settings_file()),
            fix="run playbooks/provision.yml for this host",
        )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise MaestroError(
            f"cannot be read: {error}", where=str(path), fix="remove it and deploy again"
        ) from error
    return loaded


def _write(path: Path, document: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(document, indent=2, sort_keys=True) + "\n", 0o644)


def locked(seconds: float = PATIENCE) -> contextlib.AbstractContextManager[None]:
    """One writer at a time: a deploy, the agent, or an exchange of the edge itself.

    `locks.Busy` when another has been at it for so many seconds.
    """
    return locks.held(DIRECTORY / ".locks" / "edge", seconds, "the edge")


def _publish(layout: Layout, settings: Mapping[str, Any], engine: Engine) -> None:
    """Write the stack's route file from its traffic.json, where it says something new."""
    traffic = current(layout)
    containers = _addresses(address.book(engine, layout.stack, traffic))
    document = dynamic(
        layout.stack, traffic, containers, settings, maintenance=under_maintenance(layout)
    )
    file = _route_file(layout.stack)
    # JSON is YAML, and Traefik reads no file that is called JSON.
    if not file.exists() or _read(file) != document:
        _write(file, document)


def _addresses(book: address.Book) -> dict[str, dict[str, Any]]:
    """What the edge needs to know of each container of a stack."""
    return {
        container: {
            "service": item["Labels"].get(SERVICE, ""),
            "running": item["State"] == "running",
            "healthy": not any(
                word in item.get("Status", "") for word in ("(unhealthy)", "(health: starting)")
            ),
            "address": book.of(container),
        }
        for container, item in book.containers.items()
        if item["Labels"].get(ONE_OFF, "False") != "True"
    }


# What Traefik does


def markers() -> list[str]:
    """The names that tell whether each stack's file is in force."""
    return [
        marker for file in sorted(_dynamic().glob("stack-*.yml")) if (marker := _marker_of(file))
    ]


def _marker_of(file: Path) -> str:
    """The name that tells whether Traefik follows this file; empty where there is none."""
    names = _read(file).get("http", {}).get("middlewares", {})
    return next((name for name, item in names.items() if "headers" in item), "")


def _wait(layout: Layout, settings: Mapping[str, Any], gone: str = "") -> None:
    """Wait until the stack's file, or its absence, is in force."""
    deadline = time.monotonic() + IN_FORCE
    while True:
        # Read again each time: the agent may have written newer addresses meanwhile.
        marker = gone or _marker_of(_route_file(layout.stack))
        problem = _ask(int(settings["api_port"]), f"/api/http/middlewares/{marker}@file")
        if (problem == "404") if gone else not problem:
            return
        if time.monotonic() > deadline:
            raise MaestroError(
                f"the edge has not loaded its new routes within {IN_FORCE:.0f} s"
                + (f": {problem}" if problem not in ("", "404") else ""),
                where=f"stack {layout.stack}",
                fix="`docker logs maestro-edge` says why; playbooks/provision.yml repairs the edge",
            )
        time.sleep(POLL)


def _ask(port: int, path: str) -> str:
    """Empty when Traefik's API knows what is asked for, else its status or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path, headers=edge_api.headers(DIRECTORY))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"its API does not answer: {error}"
    finally:
        connection.close()
    return "" if status == 200 else str(status)


def _connections(targets: set[tuple[str, int]]) -> int:
    """How many connections this host has to the targets; its own end is what counts."""
    wanted = {_kernel_form(address, port) for address, port in targets if ":" not in address}
    mapped = {f"0000000000000000FFFF0000{form}" for form in wanted}
    wanted |= mapped | {_kernel_form(address, port) for address, port in targets if ":" in address}
    count = 0
    for table in _TCP:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                count += fields[2] in wanted and fields[3] in _OPEN
    return count


def _kernel_form(address: str, port: int) -> str:
    """An address as the kernel's tables write it: words of the machine's order, in hex."""
    packed = ipaddress.ip_address(address).packed
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"

"""The edge of this host: which containers get the requests of a stack's routes.

Traefik watches a directory. Each stack has one file there, written in one step, from its
``traffic.json``: the routes of its release, and which containers answer them. Traefik's own
API on the loopback address says when a file is in force.
Traefik's file provider: https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file/
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import address, claims, edge_api, journal, locks
from .edge_connections import open_connections
from .edge_traefik import dynamic, is_marker
from .engine import Engine
from .labels import ONE_OFF, SERVICE
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import ClaimedRoute, Edge, Route

DIRECTORY = Path("/etc/maestro/edge")
IN_FORCE = 10.0  # seconds Traefik may take to follow a new file
PATIENCE = 90.0  # seconds another writer may take: an exchange of the edge is the longest
POLL = 0.02  # seconds between two looks at Traefik or at the connections
# Connections without a request are closed after a tenth of a second (`idleConnTimeout`), so a
# connection that is still there carries one. Some looks: one may fall between two requests.
QUIET_LOOKS = 4


def installed() -> bool:
    """Whether this host has an edge."""
    return _settings_file().exists()


def assign(
    layout: Layout,
    routes: Sequence[Route],
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
        quiet = 0 if open_connections(wanted) else quiet + 1
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


def maintain(
    layout: Layout,
    *,
    on: bool,
    by: str = "",
    approved: Mapping[str, str] | None = None,
    check: bool = False,
) -> bool:
    """Answer the stack's routes with the maintenance page, or no longer; whether that is new.

    The mark stands beside the stack's releases: it outlives deploys and restarts. ``by`` is who
    wants it, and ``approved`` by whose word, for the stack's history. With ``check`` nothing is
    done.
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
    claim |= approved or {}
    journal.note(layout, claim, journal.DONE)
    return True


def under_maintenance(layout: Layout) -> bool:
    """Whether the stack's routes are answered with the maintenance page."""
    return _maintenance_file(layout).exists()


def look(layout: Layout) -> Edge:
    """What a plan needs to know of the edge: is there one, and who has which routes."""
    others = {
        path.parent.name: [_claimed(route) for route in _read(path).get("routes", [])]
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


def _claimed(route: Route) -> ClaimedRoute:
    found: ClaimedRoute = {
        "hosts": route["hosts"],
        "path": route["path"],
        "health": route.get("health") or [],
    }
    if options := route.get("options"):
        found["options"] = options
    return found


def _refuse_taken(layout: Layout, routes: Sequence[Route]) -> None:
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
        # Python has no public reader of a certificate on disk; this one its own tests use. The
        # module `ssl` around it takes longer to load than all else that is done here.
        import _ssl  # noqa: PLC0415

        told = _ssl._test_decode_cert(str(_settings_file().parent / "certs/edge.crt"))  # type: ignore[attr-defined] # noqa: SLF001
    except (OSError, AttributeError, ImportError):
        return []
    return [str(name) for _, name in told.get("subjectAltName", ())]


def _uid() -> int:
    """The uid the edge runs as: its directory for certificates is its own; -1 without an edge."""
    try:
        return (DIRECTORY / "acme").stat().st_uid
    except OSError:
        return -1


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
            fix="run maestro.stacks.provision for this host",
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
    return next((name for name in names if is_marker(name)), "")


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
                fix="`docker logs maestro-edge` says why; maestro.stacks.provision repairs it",
            )
        time.sleep(POLL)


def _ask(port: int, path: str) -> str:
    """Empty when Traefik's API knows what is asked for, else its status or what went wrong."""
    try:
        status, _ = edge_api.ask(DIRECTORY, port, path)
    except (OSError, http.client.HTTPException) as error:
        return f"its API does not answer: {error}"
    return "" if status == 200 else str(status)

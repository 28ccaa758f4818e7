"""The smoke checks of a stack as its file says them: which kinds there are, and what each asks.

A kind is a key of a check. The schema (``x-maestro.json``) lists the kinds and what each may
say. `maestro.host.smoke` carries them out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Entry, Route, Service


@cache
def schema() -> Any:
    """The JSON Schema of ``x-maestro``."""
    return json.loads(resources.files("maestro.stack").joinpath("x-maestro.json").read_text())


def kinds() -> tuple[str, ...]:
    """The kinds of smoke checks, in the schema's order."""
    choices = schema()["properties"]["smoke"]["items"]["oneOf"]
    return tuple(choice["required"][0] for choice in choices)


def asked(checks: Any) -> Iterable[tuple[str, Entry]]:
    """Where each check of ``x-maestro.smoke`` stands, such as ``smoke[0].http``, and what it says.

    What is no check is passed over: it is the schema's problem.
    """
    for number, item in enumerate(checks if isinstance(checks, list) else []):
        for kind in kinds() if isinstance(item, dict) else ():
            if isinstance(item.get(kind), dict):
                yield f"smoke[{number}].{kind}", item[kind]


def problems(place: str, checks: Any) -> Iterable[MaestroError]:
    """What the schema cannot say: an HTTP check names a port or the edge, and not both."""
    for path, spec in asked(checks):
        if not path.endswith(".http"):
            continue
        where = f"{place}.{path}"
        if spec.get("edge"):
            found = [key for key in ("service", "port", "scheme") if key in spec]
            if found:
                yield MaestroError(
                    f"found {' and '.join(found)} beside edge",
                    where=where,
                    fix="with edge: true the request goes to this host's edge; "
                    "say only host and path",
                )
        elif "port" not in spec:
            yield MaestroError("lacks port", where=where, fix="set port, or edge: true")
        elif "host" in spec:
            yield MaestroError(
                "found host without edge", where=where, fix="set headers: {Host: NAME} instead"
            )


def at_a_port(checks: Any) -> Iterable[tuple[str, str]]:
    """The checks that reach a service at a port of its own: where they stand, and the service."""
    for path, spec in asked(checks):
        if "service" in spec and "port" in spec:
            yield path, str(spec["service"])


def services(checks: Any, routes: Iterable[Route], services: Mapping[str, Service]) -> set[str]:
    """The services that the checks ask, themselves, through the edge or at a published port.

    ``routes`` are those of ``x-maestro``; ``services`` are Compose's own reading.
    """
    found: set[str] = set()
    for _, spec in asked(checks):
        if "service" in spec:
            found.add(str(spec["service"]))
        elif spec.get("edge"):
            found |= {str(route["service"]) for route in routes if _meets(spec, route)}
        elif "port" in spec:
            found |= {name for name, item in services.items() if _publishes(item, spec["port"])}
    return found


def _meets(spec: Entry, route: Route) -> bool:
    """Whether a request to the edge comes to a route."""
    host = route.get("host") or []
    hosts = host if isinstance(host, list) else [host]
    below = str(spec.get("path") or "/").startswith(str(route.get("path") or "/"))
    return below and (not hosts or spec.get("host") in hosts)


def _publishes(service: Service, port: object) -> bool:
    return any(str(item.get("published")) == str(port) for item in service.get("ports") or [])

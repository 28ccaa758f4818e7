"""The least check there is: whether a service with a route and no check of its own answers.

Any answer but a 5xx counts: what a path means is the service's own affair.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import edge, life
from .engine import Engine
from .layout import Layout

PAUSE = 0.25  # seconds between two requests
ANSWER_WITHIN = 5.0  # seconds one answer may take
AT_THE_EDGE = 15.0  # seconds until the edge must have an answer of a service that answers

Route = Mapping[str, Any]
Reached = Callable[[str], Sequence[str]]


def containers(
    engine: Engine,
    owner: Mapping[str, str],
    routes: Iterable[Route],
    timeout: float,
    reached: Reached,
) -> dict[str, str]:
    """Ask each new container (id to service) by its routes until it answers.

    ``reached`` tells the addresses at which this host reaches a container: any of them may answer.
    Returns what is wrong, by container id. One with a health check is not asked.
    """
    asked = [
        (container, route)
        for route in routes
        for container, service in owner.items()
        if route["service"] == service
        if not life.checked(engine.inspect(container))
    ]
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(
            pool.map(lambda item: _container(engine, item[0], item[1], timeout, reached), asked)
        )
    return {container: why for (container, _), why in zip(asked, answers, strict=True) if why}


def at_the_edge(layout: Layout, routes: Iterable[Route]) -> dict[str, str]:
    """Ask this host's edge by these routes; what is wrong, by service."""
    wanted = list(routes)
    if not wanted or edge.under_maintenance(layout):
        return {}
    secure = bool(edge.settings()["redirect_https"])
    with ThreadPoolExecutor(len(wanted)) as pool:
        answers = list(pool.map(lambda route: _edge(route, secure), wanted))
    return {str(route["service"]): why for route, why in zip(wanted, answers, strict=True) if why}


def _container(
    engine: Engine, container: str, route: Route, timeout: float, reached: Reached
) -> str:
    deadline = time.monotonic() + timeout
    while True:
        detail = engine.inspect(container)
        if detail["State"]["Status"] in ("exited", "dead"):
            return f"exited with code {detail['State']['ExitCode']}"
        seen = "has no address that this host reaches"
        for address in reached(container):
            seen = _status(
                http.client.HTTPConnection(address, int(route["port"]), timeout=ANSWER_WITHIN),
                route,
            )
            if not seen:
                break
        if not seen:
            return ""
        if time.monotonic() > deadline:
            return (
                f"has no health check, and GET {_path(route)} at port {route['port']} got "
                f"{seen} for {timeout:.0f} s"
            )
        time.sleep(PAUSE)


def _edge(route: Route, secure: bool) -> str:  # noqa: FBT001 -- a fact of the host
    deadline = time.monotonic() + AT_THE_EDGE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=ANSWER_WITHIN)
        if secure:
            # Our own edge on our own loopback address: which certificate it shows is no question.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                "127.0.0.1", timeout=ANSWER_WITHIN, context=context
            )
        seen = _status(connection, route)
        if not seen or time.monotonic() > deadline:
            return seen and f"GET {_path(route)} through the edge got {seen}"
        time.sleep(PAUSE)


def _status(connection: http.client.HTTPConnection, route: Route) -> str:
    """Empty for an answer that counts, or what came instead."""
    host = next(iter(route.get("hosts") or []), "localhost").replace("*", "maestro-asks", 1)
    try:
        connection.request("GET", _path(route), headers={"Host": host, "Connection": "close"})
        status = connection.getresponse().status
    except http.client.BadStatusLine as error:
        # It speaks, although not HTTP/1.1; one that only hangs up does not.
        if (route.get("options") or {}).get("protocol") == "h2c":
            return ""
        return "no answer" if isinstance(error, http.client.RemoteDisconnected) else ""
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({getattr(error, 'strerror', None) or type(error).__name__})"
    finally:
        connection.close()
    return f"status {status}" if status >= 500 else ""


def _path(route: Route) -> str:
    return str(next(iter(route.get("health") or []), "") or route.get("path") or "/")

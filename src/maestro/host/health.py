"""Wait until containers are healthy, and say what is wrong with one that is not."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import MaestroError
from . import mask
from .containers import of_service
from .engine import Engine
from .layout import Layout

POLL = 0.1  # seconds between two looks at a container
SETTLED = 1.0  # seconds a container without a health check must run
RESTARTS = 2  # a container that was restarted more often while we waited has failed
LOG_LINES = 20
HEALTHY, WAITING = "healthy", "waiting"


def wait(engine: Engine, containers: Iterable[str], timeout: float) -> dict[str, str]:
    """Wait until each container is healthy, or running for a while without a health check.

    Returns what is wrong, by container id; empty when all are healthy. Ends as soon as
    every container is the one or the other.
    """
    deadline = time.monotonic() + timeout
    restarts: dict[str, int] = {}
    waiting = set(containers)
    failed: dict[str, str] = {}
    while waiting:
        for container in sorted(waiting):
            verdict = _verdict(engine, container, restarts)
            if verdict != WAITING:
                waiting.discard(container)
            if verdict not in (WAITING, HEALTHY):
                failed[container] = verdict
        if waiting and time.monotonic() > deadline:
            return {**failed, **dict.fromkeys(waiting, f"not healthy after {timeout:.0f} s")}
        if waiting:
            time.sleep(POLL)
    return failed


def watch(engine: Engine, containers: Iterable[str], duration: float) -> dict[str, str]:
    """Look at healthy containers for ``duration`` seconds; what went wrong, by container id."""
    deadline = time.monotonic() + duration
    restarts: dict[str, int] = {}
    watched = set(containers)
    failed: dict[str, str] = {}
    while watched and time.monotonic() < deadline:
        for container in sorted(watched):
            verdict = _verdict(engine, container, restarts, most=0)
            if verdict not in (WAITING, HEALTHY):
                watched.discard(container)
                failed[container] = f"{verdict} while it was monitored"
        time.sleep(POLL)
    return failed


def wait_services(layout: Layout, engine: Engine, services: Iterable[str], timeout: float) -> None:
    """Wait until every container of the services is healthy; `MaestroError` when one is not."""
    found = {name: of_service(engine, layout.stack, name) for name in services}
    for name, there in found.items():
        if not there:
            raise failure(layout, engine, name, [], "has no container")
    owner = {str(item["Id"]): name for name, there in found.items() for item in there}
    raise_first(layout, engine, owner, wait(engine, owner, timeout))


def raise_first(
    layout: Layout, engine: Engine, owner: Mapping[str, str], failed: Mapping[str, str]
) -> None:
    """Raise for the first failed container's service, with all its failed containers."""
    for container, why in failed.items():
        service = owner[container]
        same = [other for other in failed if owner[other] == service]
        raise failure(layout, engine, service, same, why)


def _verdict(engine: Engine, container: str, restarts: dict[str, int], most: int = RESTARTS) -> str:
    """``healthy``, ``waiting``, or what is wrong."""
    detail = engine.inspect(container)
    state = detail["State"]
    count = int(detail.get("RestartCount", 0))
    if count - restarts.setdefault(container, count) > most:
        return f"crashes at start (exit code {state['ExitCode']})"
    health = state.get("Health", {}).get("Status", "none")
    if state["Status"] in ("exited", "dead"):
        return f"exited with code {state['ExitCode']}"
    if health == "unhealthy":
        return "is unhealthy"
    settled = health == "none" and _age(state) >= SETTLED
    ready = state["Status"] == "running" and (health == "healthy" or settled)
    return HEALTHY if ready else WAITING


def _age(state: Mapping[str, Any]) -> float:
    """Seconds since a container started."""
    whole, _, fraction = str(state["StartedAt"]).rstrip("Z").partition(".")
    started = calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S"))
    return time.time() - started - float(f"0.{fraction or 0}")


def failure(
    layout: Layout, engine: Engine, service: str, containers: Iterable[str], why: str
) -> MaestroError:
    """What failed, with the last log lines of its containers, redacted."""
    parts = []
    for container in containers:
        lines = engine.logs(container, LOG_LINES).strip() or "(it wrote nothing)"
        parts.append(f"last lines of {service}:\n{_indent(lines)}")
        if probe := _last_probe(engine.inspect(container)):
            parts.append(f"last health check of {service}:\n{_indent(probe)}")
    return MaestroError(
        mask.redactor(layout).text("\n".join([f"service {service}: {why}", *parts])),
        where=f"stack {layout.stack}",
        fix="correct the service and deploy again",
    )


def _last_probe(detail: Mapping[str, Any]) -> str:
    log = (detail["State"].get("Health") or {}).get("Log") or []
    if not log or log[-1].get("ExitCode") == 0:
        return ""
    return last_lines(str(log[-1].get("Output", "")), 5)


def last_lines(text: str, count: int) -> str:
    """The end of a text."""
    return "\n".join(text.strip().splitlines()[-count:])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

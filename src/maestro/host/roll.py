"""Replace services in dependency order and wait until each is healthy."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import MaestroError
from . import compose, mask, release
from .engine import ONE_OFF, PROJECT, SERVICE, Engine
from .layout import Layout
from .state import HASH_LABEL

POLL = 0.25  # seconds between two looks at a container
SETTLED = 1.0  # seconds a service without a health check must run
RESTARTS = 2  # a container that was restarted more often while we waited has failed
LOG_LINES = 20


def up(
    layout: Layout,
    staged: str,
    levels: Sequence[Sequence[str]],
    timeout: float,
    recreate: Iterable[str] = (),
) -> dict[str, list[str]]:
    """Bring the services of ``levels`` to the staged release, one level after the other.

    Services in ``recreate`` get a new container even where nothing about them changed.
    Returns ``created`` and ``replaced`` service names, from container ids before and after.
    Raises `MaestroError` that names the failed service and shows its last log lines, redacted.
    """
    engine = Engine()
    before = _ids(engine, layout.stack)
    for service in recreate:
        for summary in _containers(engine, layout.stack, service):
            engine.remove(str(summary["Id"]))
    for level in levels:
        _up_level(layout, staged, level, timeout, engine)
    after = _ids(engine, layout.stack)
    touched = [service for level in levels for service in level]
    return {
        "created": sorted(service for service in touched if service not in before),
        "replaced": sorted(
            service
            for service in touched
            if service in before and before[service] != after.get(service)
        ),
    }


def _up_level(
    layout: Layout, staged: str, services: Sequence[str], timeout: float, engine: Engine
) -> None:
    argv = compose.arguments(
        layout.stack,
        layout.compose_file(staged),
        *("up", "--detach", "--no-deps", "--no-build", "--pull", "never"),
        *services,
    )
    result = compose.run(argv, timeout=timeout)
    if result.returncode != 0:
        raise _failure(layout, engine, services, _last_lines(result.stderr, 6))
    wait_healthy(layout, services, timeout, engine)


def wait_healthy(
    layout: Layout, services: Sequence[str], timeout: float, engine: Engine | None = None
) -> None:
    """Wait until every container of the services is healthy, or running without a health check."""
    engine = engine or Engine()
    deadline = time.monotonic() + timeout
    restarts: dict[str, int] = {}
    waiting = set(services)
    while waiting:
        for service in sorted(waiting):
            verdict = _verdict(engine, layout.stack, service, restarts)
            if verdict == "healthy":
                waiting.discard(service)
            elif verdict != "waiting":
                raise _failure(layout, engine, [service], verdict)
        if waiting and time.monotonic() > deadline:
            text = f"not healthy after {timeout:.0f} s"
            raise _failure(layout, engine, sorted(waiting), text)
        if waiting:
            time.sleep(POLL)


def _verdict(engine: Engine, stack: str, service: str, restarts: dict[str, int]) -> str:
    """``healthy``, ``waiting``, or what is wrong."""
    found = _containers(engine, stack, service)
    if not found:
        return "has no container"
    verdicts = set()
    for summary in found:
        detail = engine.inspect(str(summary["Id"]))
        state, container = detail["State"], str(detail["Id"])
        first = restarts.setdefault(container, int(detail.get("RestartCount", 0)))
        health = state.get("Health", {}).get("Status", "none")
        if int(detail.get("RestartCount", 0)) - first > RESTARTS:
            return f"crashes at start (exit code {state['ExitCode']})"
        if state["Status"] in ("exited", "dead"):
            return f"exited with code {state['ExitCode']}"
        if health == "unhealthy":
            return "is unhealthy"
        settled = health == "none" and _age(state) >= SETTLED
        if state["Status"] == "running" and (health == "healthy" or settled):
            verdicts.add("healthy")
        else:
            verdicts.add("waiting")
    return "waiting" if "waiting" in verdicts else "healthy"


def _age(state: Mapping[str, Any]) -> float:
    """Seconds since a container started."""
    started = time.strptime(str(state["StartedAt"])[:19], "%Y-%m-%dT%H:%M:%S")
    return time.time() - calendar.timegm(started)


def _failure(layout: Layout, engine: Engine, services: Iterable[str], why: str) -> MaestroError:
    """What failed, with the last log lines of each service, redacted."""
    masked = mask.redactor(layout)
    parts = []
    for service in services:
        for summary in _containers(engine, layout.stack, service):
            lines = engine.logs(str(summary["Id"]), LOG_LINES).strip() or "(it wrote nothing)"
            probe = _last_probe(engine.inspect(str(summary["Id"])))
            parts.append(f"last lines of {service}:\n{_indent(lines)}")
            if probe:
                parts.append(f"last health check of {service}:\n{_indent(probe)}")
    names = ", ".join(services)
    return MaestroError(
        masked.text("\n".join([f"service {names}: {why}", *parts])),
        where=f"stack {layout.stack}",
        fix="correct the service and deploy again",
    )


def _last_probe(detail: Mapping[str, Any]) -> str:
    log = (detail["State"].get("Health") or {}).get("Log") or []
    if not log or log[-1].get("ExitCode") == 0:
        return ""
    return _last_lines(str(log[-1].get("Output", "")), 5)


def put_back(layout: Layout, staged: str, timeout: float) -> dict[str, Any]:
    """Let the release that served serve again, and remove what the failed one brought.

    Containers that still are what the old release wants are not touched. Without an
    old release the stack's containers are removed; named volumes always stay.
    """
    engine = Engine()
    current = layout.current_id()
    if not current:
        _remove_everything(layout, staged, engine)
        release.discard(layout, staged)
        return {"serves": "", "restored": []}
    manifest = layout.manifest(current)
    wanted = set(manifest["services"])
    restored = []
    for service in sorted({str(item) for item in _services(engine, layout.stack)} - wanted):
        for summary in _containers(engine, layout.stack, service):
            engine.remove(str(summary["Id"]))
    for level in manifest["order"]:
        stale = [
            name
            for name in level
            if not _serves(engine, layout.stack, name, manifest["services"][name])
        ]
        if stale:
            _up_level(layout, current, stale, timeout, engine)
            restored += stale
    release.discard(layout, staged)
    return {"serves": current, "restored": restored}


def remove_services(layout: Layout, services: Iterable[str]) -> list[str]:
    """Stop and remove the containers of services the stack no longer has."""
    engine = Engine()
    removed = []
    for service in services:
        for summary in _containers(engine, layout.stack, service):
            engine.remove(str(summary["Id"]))
            removed.append(service)
    return sorted(set(removed))


def _remove_everything(layout: Layout, staged: str, engine: Engine) -> None:
    if layout.compose_file(staged).exists():
        argv = compose.arguments(layout.stack, layout.compose_file(staged))
        compose.run([*argv, "down", "--remove-orphans"], timeout=600)
    for service in _services(engine, layout.stack):
        for summary in _containers(engine, layout.stack, service):
            engine.remove(str(summary["Id"]))


def _serves(engine: Engine, stack: str, service: str, wanted: Mapping[str, Any]) -> bool:
    found = _containers(engine, stack, service)
    return len(found) == wanted["replicas"] and all(
        item["Labels"].get(HASH_LABEL) == wanted["hash"]
        and item["State"] == "running"
        and "(unhealthy)" not in item.get("Status", "")
        for item in found
    )


def _containers(engine: Engine, stack: str, service: str) -> list[dict[str, Any]]:
    found = engine.containers(f"{PROJECT}={stack}")
    return [
        item
        for item in found
        if item["Labels"].get(SERVICE) == service and item["Labels"].get(ONE_OFF, "False") != "True"
    ]


def _services(engine: Engine, stack: str) -> set[str]:
    return {item["Labels"].get(SERVICE, "") for item in engine.containers(f"{PROJECT}={stack}")}


def _ids(engine: Engine, stack: str) -> dict[str, set[str]]:
    """Container ids by service."""
    found: dict[str, set[str]] = {}
    for item in engine.containers(f"{PROJECT}={stack}"):
        if item["Labels"].get(ONE_OFF, "False") != "True":
            found.setdefault(item["Labels"].get(SERVICE, ""), set()).add(str(item["Id"]))
    return found


def _last_lines(text: str, count: int) -> str:
    return "\n".join(text.strip().splitlines()[-count:])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

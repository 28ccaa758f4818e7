"""Which services of a stack are jobs: they end, and with 0 they are done.

Compose has no word for it. What says it: ``restart: "no"`` or ``on-failure`` (also as
``deploy.restart_policy``), another service's ``service_completed_successfully``, or
``x-maestro.jobs``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from ..errors import MaestroError
from ..host.jobs import Job

if TYPE_CHECKING:
    from ..records import Compose, EndFacts, Extension, JobFacts, Service

COMPLETED = "service_completed_successfully"
NEVER, ON_FAILURE = "no", "on-failure"
PATIENCE = 30.0  # seconds in which a service that says `restart: "no"` may end
_CONDITIONS = {"any": "always", "none": NEVER}


def restart_policy(service: Service) -> str:
    """The restart policy of a service as the Engine calls it; empty where the file says nothing.

    ``deploy.restart_policy`` counts before ``restart``, as in Compose.
    """
    policy = (service.get("deploy") or {}).get("restart_policy")
    if policy:
        condition = str(policy.get("condition") or "any")
        return _CONDITIONS.get(condition, condition)
    return str(service.get("restart") or "").partition(":")[0]


def found(model: Compose, extension: Extension, active: Iterable[str]) -> dict[str, Job]:
    """The jobs among the ``active`` services of Compose's own reading, by name."""
    names = set(active)
    services = {name: model["services"][name] for name in sorted(names)}
    limits = {
        str(item["service"]): float(item.get("timeout") or 0)
        for item in extension.get("jobs") or []
    }
    waited = {*limits, *waited_for(services)} & names
    routed = {str(route["service"]) for route in extension.get("routes") or []}
    jobs = {}
    for name, service in services.items():
        if name in waited:
            jobs[name] = Job(waited=True, limit=limits.get(name, 0))
        elif name not in routed and _may_end(service):
            patient = restart_policy(service) == NEVER and not checked(service)
            jobs[name] = Job(patience=PATIENCE if patient else 0)
    return jobs


def facts(jobs: Mapping[str, Job], name: str) -> EndFacts:
    """What a manifest records of a service's job; nothing where it is none."""
    return {"job": cast("JobFacts", asdict(jobs[name]))} if name in jobs else {}


def waited_for(services: Mapping[str, Service]) -> set[str]:
    """Services that another one waits to see completed."""
    return {
        str(other)
        for service in services.values()
        for other, need in (service.get("depends_on") or {}).items()
        if (need or {}).get("condition") == COMPLETED
    }


def problems(stack: str, model: Compose, extension: Extension) -> Iterable[MaestroError]:
    """Services that shall end and cannot."""
    services = model["services"]
    routed = {str(route["service"]) for route in extension.get("routes") or []}
    asked = {
        other: f"services.{name}.depends_on.{other}"
        for name, service in sorted(services.items())
        for other in waited_for({name: service})
    } | {
        str(item["service"]): f"x-maestro.jobs[{number}]"
        for number, item in enumerate(extension.get("jobs") or [])
    }
    migrated = {str(item["service"]) for item in extension.get("migrations") or []}
    for name, place in asked.items():
        if name not in services or name in migrated:
            continue
        policy = restart_policy(services[name])
        why = (
            f"restart: {policy} restarts it whenever it exits"
            if policy not in ("", NEVER, ON_FAILURE)
            else "requests of a route go to it"
            if name in routed
            else ""
        )
        if why:
            yield MaestroError(
                f"waits until {name} has ended, but {why}",
                where=f"{stack}/compose.yaml: {place}",
                fix=f'give {name} `restart: "no"` and no route, or wait for service_healthy',
            )


def _may_end(service: Service) -> bool:
    policy = restart_policy(service)
    if any(port.get("published") for port in service.get("ports") or []):
        return False
    # A service that says nothing about it and can be asked for its health is a server.
    return policy in (NEVER, ON_FAILURE) or (not policy and not checked(service))


def checked(service: Service) -> bool:
    """Whether the file gives a service a health check."""
    check = service.get("healthcheck") or {}
    return bool(check) and not check.get("disable") and list(check.get("test") or []) != ["NONE"]

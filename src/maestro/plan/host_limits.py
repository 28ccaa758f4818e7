"""What services ask of a machine that the Engine would refuse, after migrations have run."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import EngineFacts, Service

# https://docs.docker.com/engine/containers/resource_constraints/
LEAST_MEMORY = 6 << 20


def problems(
    host: str,
    services: Mapping[str, Service],
    engine: EngineFacts,
    fresh: Container[str],
) -> Iterable[MaestroError]:
    """More processors than the host has, or too little memory for any container.

    ``services`` are those of a release's file, ``fresh`` those that get a new container;
    ``engine`` is what the host says of its own.
    """
    there = int(engine.get("cpus") or 0)
    for name, service in sorted(services.items()):
        key, asked = _limit(service, "cpus", "cpus")
        if there and float(asked or 0) > there:
            yield MaestroError(
                f"asks for {float(asked):g} processors, and the host has {there}",
                where=f"{host}: services.{name}.{key}",
                fix=f"lower it to {there} or less, or remove it: without it all can be used; a "
                "variable can have another value for each host",
            )
        highest = max(_numbers(str(service.get("cpuset") or "")), default=-1)
        if there and highest >= there:
            yield MaestroError(
                f"asks for the processor {highest}, and the host has 0 to {there - 1}",
                where=f"{host}: services.{name}.cpuset",
                fix="choose others, or remove it",
            )
        key, asked = _limit(service, "memory", "mem_limit")
        if 0 < int(asked or 0) < LEAST_MEMORY:
            yield MaestroError(
                f"a limit of {int(asked)} bytes of memory, and no container works with less than "
                f"{LEAST_MEMORY >> 20} MiB",
                where=f"{host}: services.{name}.{key}",
                fix="raise it; a number without a unit means bytes: write 64m",
            )
        if engine.get("gpus") is False and name in fresh and (place := _gpu(service)):
            yield MaestroError(
                "asks for a GPU, and the Engine of this host has no driver for one",
                where=f"{host}: services.{name}.{place}",
                fix="install the GPU maker's container toolkit on the host, or remove the key for "
                "one environment: `gpus: !reset null` in compose.ENVIRONMENT.yaml",
            )


def _gpu(service: Service) -> str:
    """Where a service of a release asks for a GPU, as its author wrote it; empty where it does not.

    ``gpus`` stands there in its long form, see `compose_quirks.mend`.
    """
    reserved = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    for item in reserved.get("devices") or []:
        if {"gpu", "nvidia", "amd"} & {item.get("driver"), *(item.get("capabilities") or [])}:
            return "deploy.resources.reservations.devices (or gpus)"
    return ""


def _limit(service: Service, key: str, short: str) -> tuple[str, Any]:
    """Where a service names its limit, and the limit; `deploy` counts before the short key."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    if limits.get(key):
        return f"deploy.resources.limits.{key}", limits[key]
    return short, service.get(short)


def _numbers(cpuset: str) -> Iterable[int]:
    for part in cpuset.replace("-", ",").split(","):
        if part.strip().isdigit():
            yield int(part)

"""Compose's canonical model of a stack: what is asked of it in more than one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records import Compose, Extension, Service


def migration_services(extension: Extension) -> list[str]:
    """The one-shot services that migrate, in the order they run."""
    return [str(item["service"]) for item in extension.get("migrations") or []]


def active_services(model: Compose, extension: Extension, profiles: Iterable[str]) -> list[str]:
    """The long-running services of the wanted profiles; none that has no replicas."""
    wanted = set(profiles)
    one_shot = set(migration_services(extension))
    return sorted(
        name
        for name, service in model["services"].items()
        if name not in one_shot
        and replicas(service)
        and (not service.get("profiles") or wanted & set(service["profiles"]))
    )


def plain_keys(value: Any) -> Any:
    """The same with ``$`` in keys: Compose doubles it there as well, and reads no key anew."""
    if isinstance(value, dict):
        return {str(key).replace("$$", "$"): plain_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_keys(item) for item in value]
    return value


def unescaped(value: Any) -> Any:
    """What values of Compose's reading mean: it writes ``$`` as ``$$``, to be read again."""
    if isinstance(value, dict):
        return {key: unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return value.replace("$$", "$") if isinstance(value, str) else value


def replicas(service: Service) -> int:
    """How many containers a service has; one where the file says nothing."""
    value = (service.get("deploy") or {}).get("replicas", service.get("scale", 1))
    return int(1 if value is None else value)


def memory(service: Service) -> int:
    """The memory limit of all containers of a service, in bytes; 0 without a limit."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return int(limits.get("memory") or service.get("mem_limit") or 0) * replicas(service)

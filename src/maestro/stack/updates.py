"""How a service's containers are exchanged, in the words Compose has for it.

``deploy.update_config`` and ``deploy.rollback_config``:
https://github.com/compose-spec/compose-spec/blob/main/deploy.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.rules import START_FIRST, STOP_FIRST
from . import borrowing

if TYPE_CHECKING:
    from ..records import Compose, Entry, Exchange, Exchanges, Service

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|m|s)")
_PORT = "publishes a port"
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def rules(service: Service, *, routed: bool, lent: str = "", keeps_data: bool = False) -> Exchanges:
    """The rules of one service: ``{update: ..., rollback: ...}``, see `host.rules.Rules`.

    ``lent`` says who lives in its namespaces, see `borrowing.lenders`: they are in one container.
    ``service`` is Compose's own reading. Without an ``order`` a service that has a route and
    can run twice starts first; any other stops first, and so does one that ``keeps_data`` which
    two would write. Going back is done at once.
    """
    deploy = service.get("deploy") or {}
    update = deploy.get("update_config") or {}
    back = {
        key: value
        for key, value in {**update, **(deploy.get("rollback_config") or {})}.items()
        if key in (deploy.get("rollback_config") or {}) or key == "order"
    }
    first = routed and not lent and not keeps_data and not _alone(service)
    order = START_FIRST if first else STOP_FIRST
    return {
        "update": _rules(update, order, parallelism=1),
        "rollback": _rules(back, order, parallelism=0),
    }


def problems(model: Compose, stack: str) -> Iterable[MaestroError]:
    """What ``update_config`` and ``rollback_config`` ask for that cannot be done."""
    lenders = borrowing.lenders(model["services"])
    for name, service in sorted(model["services"].items()):
        count = int((service.get("deploy") or {}).get("replicas") or service.get("scale") or 1)
        if count > 1 and (fixed := _fixed_address(service)):
            yield MaestroError(
                f"has a fixed {fixed} and {count} replicas: two containers cannot have one address",
                where=f"{stack}/compose.yaml: services.{name}",
                fix=f"remove {fixed}, or have one replica",
            )
        for key in ("update_config", "rollback_config"):
            config = (service.get("deploy") or {}).get(key) or {}
            where = f"{stack}/compose.yaml: services.{name}.deploy.{key}"
            alone = _alone(service)
            why = alone or lenders.get(name, "")
            if config.get("order") == START_FIRST and why:
                instead = (
                    ", or give the service a route in x-maestro.routes instead of a port of its own"
                    if alone == _PORT
                    else ""
                )
                what = f"the service {why}" if alone else why
                yield MaestroError(
                    f"found order: {START_FIRST}, but {what}: two containers cannot run at once",
                    where=f"{where}.order",
                    fix=f"use {STOP_FIRST}{instead}",
                )
            if config.get("failure_action") == "pause":
                yield MaestroError(
                    "found failure_action: pause",
                    where=f"{where}.failure_action",
                    fix="allowed: rollback (the default), and continue up to max_failure_ratio; "
                    "a release goes in whole or not at all",
                )


def _alone(service: Service) -> str:
    """Why two containers of a service cannot run at the same time; empty when they can."""
    if any(port.get("published") for port in service.get("ports") or []):
        return _PORT
    if service.get("container_name"):
        return "has a container_name"
    if service.get("network_mode") == "host":
        return "uses the host's network"
    if owner := borrowing.namespaces(service).get("network_mode"):
        return f"shares the network of {owner}"
    if key := _fixed_address(service):
        return f"has a fixed {key}"
    return ""


def fixed(service: Service) -> str:
    """Why a fixed address keeps a second container from running; empty where there is none."""
    key = _fixed_address(service)
    return f"it has a fixed {key}, and two containers cannot both have it" if key else ""


def _fixed_address(service: Service) -> str:
    """The key that gives a service's container an address nobody else can have."""
    if service.get("mac_address"):
        return "mac_address"
    for network in (service.get("networks") or {}).values():
        for key in ("ipv4_address", "ipv6_address", "mac_address"):
            if (network or {}).get(key):
                return key
    return ""


def _rules(config: Entry, order: str, parallelism: int) -> Exchange:
    said = config.get("monitor")
    found: Exchange = {
        "order": str(config.get("order") or order),
        "parallelism": int(config.get("parallelism", parallelism)),
        "delay": seconds(config.get("delay", 0)),
        "monitor": seconds(config.get("monitor", 0)),
        "on_failure": str(config.get("failure_action") or "rollback"),
        "max_failure_ratio": float(config.get("max_failure_ratio", 0)),
    }
    if said is not None:
        found["watch"] = seconds(said)
    return found


def seconds(value: Any) -> float:
    """A duration as Compose writes it (``1m30s``), in seconds; a bare number means seconds."""
    text = str(value)
    found = _DURATION.findall(text)
    if found and "".join(number + unit for number, unit in found) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in found)
    return float(text)

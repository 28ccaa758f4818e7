"""Ports of a host that services publish: which two cannot be had at the same time."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Line, MaestroError
from ..host.ports import ANY4, ANY6, EDGE, EDGE_PORTS, PROGRAM, Taken
from .model import replicas

if TYPE_CHECKING:
    from ..records import Compose, Extension, Service


@dataclass(frozen=True)
class Published:
    """One entry of a service's ``ports``: one port from ``low`` to ``high`` at an address.

    ``addresses`` has two entries where the file names none: all of IPv4 and all of IPv6.
    """

    service: str
    addresses: tuple[str, ...]
    low: int
    high: int
    protocol: str
    target: int

    @property
    def name(self) -> str:
        """As a message shows it."""
        number = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        shown = "" if len(self.addresses) > 1 else f"{_shown(self.addresses[0])}:"
        return f"{shown}{number}/{self.protocol}"

    @property
    def one(self) -> bool:
        """Whether it is a single port, and no choice of several."""
        return self.low == self.high


def published(name: str, service: Service) -> list[Published]:
    """What a service publishes, of Compose's own reading or of a release's file."""
    found = []
    for port in service.get("ports") or []:
        if not port.get("published"):
            continue
        low, _, high = str(port["published"]).partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            continue
        address = str(port.get("host_ip") or "").strip("[]")
        found.append(
            Published(
                name,
                (_canonical(address),) if address else (ANY4, ANY6),
                int(low),
                int(high or low),
                str(port.get("protocol") or "tcp"),
                int(port.get("target") or 0),
            )
        )
    return found


TLS = 443
# The ephemeral ports, 49152 to 65535, are 16,384: servers of calls publish all of them.
MOST = 20_000


def meet(one: Published, other: Published) -> bool:
    """Whether two entries need one and the same port; a choice of several can give way."""
    return (
        one.one
        and other.one
        and one.low == other.low
        and one.protocol == other.protocol
        and any(_same(a, b) for a in one.addresses for b in other.addresses)
    )


def clashes(services: Mapping[str, Service], stack: str) -> Iterable[MaestroError]:
    """Ports that the stack's own services want twice."""
    everything = [
        port for name, service in sorted(services.items()) for port in published(name, service)
    ]
    if len(everything) > MOST:
        yield MaestroError(
            f"publishes {len(everything)} ports, more than {MOST}",
            where=f"{stack}/compose.yaml: services",
            fix="publish fewer, or use `network_mode: host` with an exception",
        )
        return
    before: dict[tuple[int, str], list[Published]] = {}
    for port in everything:
        count = replicas(services[port.service])
        if port.high - port.low + 1 < count:
            yield MaestroError(
                f"port {port.name} is published by each of {count} containers",
                where=f"{stack}/compose.yaml: services.{port.service}.ports",
                fix="publish no port or a range of as many ports (8000-8002), or have one replica",
            )
        others = before.setdefault((port.low, port.protocol), [])
        twice = [other.service for other in others if meet(other, port)]
        others.append(port)
        if twice:
            yield MaestroError(
                f"port {port.low}/{port.protocol} is published more than once on a host: "
                f"{', '.join([*twice, port.service])}",
                where=f"{stack}/compose.yaml: services.{port.service}.ports",
                fix="give each published port to one service, or each an address of its own "
                "(127.0.0.1:8000:80)",
            )


def preflight(
    host: str, services: Mapping[str, Service], taken: list[Taken], absent: Iterable[str] = ()
) -> list[MaestroError]:
    """Ports of the services (of a release's file) that this host cannot publish.

    Somebody else has them, or the host has not the address: ``absent`` are those it has not.
    """
    problems = []
    missing = set(map(_canonical, absent))
    by_port: dict[int, list[Taken]] = {}
    for item in taken:
        by_port.setdefault(item.port, []).append(item)
    for name, service in sorted(services.items()):
        for port in published(name, service):
            if lacks := missing.intersection(port.addresses):
                problems.append(
                    MaestroError(
                        f"port {port.name} of service {name}: this host has no address "
                        f"{_shown(lacks.pop())}",
                        where=f"{host}: services.{name}.ports",
                        fix="name an address of the host (ip address shows them), or none for all",
                    )
                )
                continue
            holders = [_holder(port, number, by_port) for number in range(port.low, port.high + 1)]
            if holders.count(None) < replicas(service):
                holder = next(item for item in holders if item)
                problems.append(_refusal(host, port, holder))
    return problems


def _holder(port: Published, number: int, taken: Mapping[int, Iterable[Taken]]) -> Taken | None:
    return next(
        (
            item
            for item in taken.get(number, ())
            if item.protocol == port.protocol
            and any(_same(address, item.address) for address in port.addresses)
        ),
        None,
    )


def _refusal(host: str, port: Published, holder: Taken) -> MaestroError:
    if holder.kind == EDGE:
        return MaestroError(
            f"port {port.name} of service {port.service} is taken by the edge of this host, which "
            "answers there for all stacks",
            where=f"{host}: services.{port.service}.ports",
            fix="remove the port and let the edge pass requests on: x-maestro: {routes: "
            f"[{{service: {port.service}, port: {port.target}}}]}}; or publish another port",
            lines=[Line(("x-maestro", "routes"), [_route(port)])],
        )
    if holder.kind == PROGRAM:
        by = f"a program of the host at {_shown(holder.address)}:{holder.port}"
        fix = (
            f"publish the service on another port, or see who it is: ss -ln{port.protocol[0]}p "
            f"'sport = :{holder.port}'"
        )
    else:
        by = f"the container {holder.by} at {_shown(holder.address)}:{holder.port}"
        fix = f"publish the service on another port; docker inspect {holder.by} shows whose it is"
    return MaestroError(
        f"port {port.name} of service {port.service} is taken by {by}",
        where=f"{host}: services.{port.service}.ports",
        fix=fix,
    )


def left_to_the_edge(model: Compose, extension: Extension) -> Compose:
    """The model without the ports 80 and 443 of services that have a route: the edge is there.

    So one file serves a machine without an edge, where the service publishes them itself.
    """
    routed = {str(route["service"]) for route in extension.get("routes") or []}
    services = {}
    for name, service in model["services"].items():
        kept = [
            port
            for port in service.get("ports") or []
            if name not in routed
            or str(port.get("published")) not in map(str, EDGE_PORTS)
            or port.get("protocol", "tcp") != "tcp"
        ]
        changed = len(kept) != len(service.get("ports") or [])
        services[name] = {**service, "ports": kept} if changed else service
    return {**model, "services": services}


def _route(port: Published) -> dict[str, object]:
    """What lets the edge pass requests on: it speaks TLS itself, and plain HTTP to a service."""
    plain = 80 if port.target == TLS else port.target
    return {"service": port.service, "port": plain}


def _same(one: str, other: str) -> bool:
    """Whether a socket at one address keeps another from being opened at the other."""
    if one == other:
        return True
    if (":" in one) != (":" in other):
        return False
    return bool({one, other} & {ANY4, ANY6})


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address

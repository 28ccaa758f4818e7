"""Where this host reaches a container: one rule for the edge, the checks and the canary.

The host is a member of its bridge networks, internal ones too, and of no other: an address of a
macvlan, ipvlan or overlay network leaves the host, and whoever has it there would answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .engine import Engine
from .labels import PROJECT, SERVICE
from .resources import Network, network

if TYPE_CHECKING:
    from ..records import Route

ELSEWHERE = ("macvlan", "ipvlan", "overlay", "null")  # drivers whose networks the host is not in
HOST = "host"
_LOOPBACK = "127.0.0.1"
_CONTAINER = "container:"
_OWN_GATEWAY = "DefaultGatewayIPv4"  # the bridge has another address then
CONNECT = 1.0  # seconds one connection may take
PAUSE = 0.1


@dataclass(frozen=True)
class Place:
    """An address of a container on one of its networks."""

    network: str
    address: str


@dataclass
class Book:
    """The addresses of a stack's containers.

    ``containers`` are entries of the Engine's listing by id, ``networks`` by their ids. ``via``
    says on which network a container was proved to answer, ``wanted`` which one a service's
    route names.
    """

    containers: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Network]
    via: Mapping[str, str] = field(default_factory=dict)
    wanted: Mapping[str, str] = field(default_factory=dict)

    def of(self, container: str) -> str:
        """Where the host reaches a container; empty where it does not."""
        return next((place.address for place in self.places(container)), "")

    def places(self, container: str) -> list[Place]:
        """All places where the host could reach a container, the chosen one first.

        The chosen one is that which the route names, else that which was proved, else the network
        of the highest ``gw_priority``, else the first by name.
        """
        item = self.containers.get(container)
        if item is None:
            return []
        mode = str((item.get("HostConfig") or {}).get("NetworkMode") or "")
        if mode.startswith(_CONTAINER):
            owner = mode.removeprefix(_CONTAINER)
            return self._chosen(self.places(owner), container, item) if owner != container else []
        ends = (item.get("NetworkSettings") or {}).get("Networks") or {}
        if HOST in ends:
            return [Place(HOST, _LOOPBACK)]
        order = sorted(ends, key=lambda name: (-int(ends[name].get("GwPriority") or 0), name))
        found = [
            Place(name, address)
            for name in order
            for address in (ends[name].get("IPAddress"), ends[name].get("GlobalIPv6Address"))
            if address and self._here(str(ends[name].get("NetworkID") or ""), name, address)
        ]
        return self._chosen(found, container, item)

    def _chosen(
        self, places: Sequence[Place], container: str, item: Mapping[str, Any]
    ) -> list[Place]:
        service = str((item.get("Labels") or {}).get(SERVICE, ""))
        named, proved = self.wanted.get(service), self.via.get(container)
        # A container of the release before may not be on the network that is named now.
        return sorted(places, key=lambda at: (at.network != named, at.network != proved))

    def _here(self, identity: str, name: str, address: str) -> bool:
        """Whether requests to an address on this network stay on this host."""
        known = self.networks.get(identity) or next(
            (item for item in self.networks.values() if item.name == name), None
        )
        if known is None:
            return True
        return known.driver not in ELSEWHERE and _goes_to(address, known)


def book(engine: Engine, stack: str, traffic: Mapping[str, Any]) -> Book:
    """The addresses of a stack; ``traffic`` is what its ``traffic.json`` says."""
    containers = {str(item["Id"]): item for item in engine.containers(f"{PROJECT}={stack}")}
    networks = {str(item.get("Id")): network(item) for item in engine.networks()}
    return Book(
        containers,
        networks,
        dict(traffic.get("via") or {}),
        wanted(traffic.get("routes") or ()),
    )


def wanted(routes: Iterable[Route]) -> dict[str, str]:
    """The network that a route names, by its service."""
    return {
        str(route["service"]): str(route["network"]) for route in routes if route.get("network")
    }


def prove(found: Book, container: str, ports: Sequence[int], patience: float) -> tuple[str, str]:
    """The network on which a container takes connections at all its ports, and else what is wrong.

    Tries every place again and again for ``patience`` seconds, each at least once; only the one
    that the route of its service names.
    """
    deadline = time.monotonic() + patience
    places = found.places(container)
    if not places:
        return "", "has no address that this host reaches"
    service = str((found.containers[container].get("Labels") or {}).get(SERVICE, ""))
    if named := found.wanted.get(service):
        places = [place for place in places if place.network == named]
        if not places:
            return "", f"is not reached at {named}, the network its route names"
    while True:
        seen = []
        for place in places:
            problem = next((why for port in ports if (why := _connect(place.address, port))), "")
            if not problem:
                return place.network, ""
            seen.append(f"{place.network}: {problem}")
        if time.monotonic() >= deadline:
            why = f"takes no connection ({'; '.join(seen)})"
            if any(item.endswith("Connection refused") for item in seen):
                why += ": it must listen on this port, and on 0.0.0.0 instead of 127.0.0.1"
            return "", why
        time.sleep(PAUSE)


def _connect(address: str, port: int) -> str:
    try:
        socket.create_connection((address, port), CONNECT).close()
    except OSError as error:
        return f"{address} port {port}: {error.strerror or error}"
    return ""


def _goes_to(address: str, known: Network) -> bool:
    """Whether the kernel sends what is for an address out of the network's own bridge.

    It then does so from the bridge's own address, which is the network's gateway.
    """
    source = _source(address)
    if not source or not known.subnets:
        return bool(source)
    for subnet in known.subnets:
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(source) not in ipaddress.ip_network(str(subnet["subnet"])):
                continue
            gateway = str(subnet.get("gateway") or "").partition("/")[0]
            loose = not gateway or ":" in source
            loose = loose or _OWN_GATEWAY in (subnet.get("aux_addresses") or {})
            if loose or ipaddress.ip_address(gateway) == ipaddress.ip_address(source):
                return True
    return False


def _source(address: str) -> str:
    """The host's own address in a packet to another one; empty where there is no way to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # no packet is sent
        return str(probe.getsockname()[0])
    return ""

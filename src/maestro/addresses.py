"""Fixed addresses of services: which of them nobody could have.

The Engine says it when a container starts, after what had run there has stopped.
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ipv4_address-ipv6_address
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import MaestroError
from .host.holds import ADDRESS
from .host.resources import Network, Resources
from .networks import own

_KEYS = ("ipv4_address", "ipv6_address")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class _Fixed:
    """What a service's file gives it on one network: ``network`` is the name on the host."""

    service: str
    key: str
    network: str
    word: str
    address: _Address

    def where(self, host: str) -> str:
        return f"{host}: services.{self.service}.networks.{self.key}.{self.word}"


def problems(
    host: str,
    compose: Mapping[str, Any],
    there: Resources,
    renewed: Collection[str],
    staying: Iterable[Mapping[str, Any]],
) -> Iterator[MaestroError]:
    """Addresses outside of their network, of its gateway, wanted twice, or held by what stays.

    ``renewed`` are names of networks that are made anew, ``staying`` the containers of the host's
    state that a plan leaves as they are.
    """
    seen: dict[tuple[str, _Address], str] = {}
    held = {
        (str(hold["name"]), str(container["service"]))
        for container in staying
        for hold in container.get("holds") or ()
        if hold["kind"] == ADDRESS
    }
    for fixed in _all(compose):
        live = None if fixed.network in renewed else there.networks.get(fixed.network)
        why = _outside(fixed, _ranges(fixed, compose, live))
        other = seen.setdefault((fixed.network, fixed.address), fixed.service)
        if not why and other != fixed.service:
            why = f"is that of {other} as well"
        name = f"{fixed.network} {fixed.address}"
        by = sorted(service for held_name, service in held if held_name == name)
        if not why and live and by and by != [fixed.service]:
            why = f"is that of a container of {by[0]} now, which stays"
        if why:
            yield MaestroError(
                f"the address {fixed.address} {why}",
                where=fixed.where(host),
                fix="choose another one; `ip_range` of the network's `ipam` keeps the addresses "
                "that the Engine gives apart from fixed ones",
            )


def _all(compose: Mapping[str, Any]) -> Iterator[_Fixed]:
    defined = compose.get("networks") or {}
    for service, definition in sorted(compose["services"].items()):
        for key, end in (definition.get("networks") or {}).items():
            name = str((defined.get(key) or {}).get("name") or key)
            for word in _KEYS:
                if said := (end or {}).get(word):
                    try:
                        address = ipaddress.ip_address(str(said))
                    except ValueError:
                        continue  # Compose's or the Engine's matter
                    yield _Fixed(service, str(key), name, word, address)


def _ranges(
    fixed: _Fixed, compose: Mapping[str, Any], live: Network | None
) -> list[Mapping[str, Any]]:
    """The subnets of its network: as they are, or as the file has them made."""
    if live:
        return list(live.subnets)
    definition = own(compose, "networks").get(fixed.key) or {}
    return list((definition.get("ipam") or {}).get("config") or [])


def _outside(fixed: _Fixed, ranges: Iterable[Mapping[str, Any]]) -> str:
    found = [item for item in ranges if item.get("subnet")]
    subnets = [ipaddress.ip_network(str(item["subnet"]), strict=False) for item in found]
    alike = [subnet for subnet in subnets if subnet.version == fixed.address.version]
    if not alike:
        return ""  # the Engine chooses, or it is another's network: not known
    if not any(fixed.address in subnet for subnet in alike):
        return f"lies in no subnet of the network ({', '.join(map(str, alike))})"
    gateways = {str(item.get("gateway")) for item in found}
    # The Engine takes the first address where the file names no gateway.
    gateways |= {str(net.network_address + 1) for net in alike if "None" in gateways}
    return "is the network's gateway" if str(fixed.address) in gateways else ""

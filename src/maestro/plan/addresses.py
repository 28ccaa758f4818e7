"""Fixed addresses of services: which of them nobody could have.

The Engine says it when a container starts, after what had run there has stopped.
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ipv4_address-ipv6_address
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.holds import ADDRESS
from ..host.resources import Network, Resources
from .networks import own

if TYPE_CHECKING:
    from ..records import Compose, Container, Subnet

_KEYS = ("ipv4_address", "ipv6_address")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Net = ipaddress.IPv4Network | ipaddress.IPv6Network


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


@dataclass(frozen=True)
class _Range:
    """A subnet of a network, and its gateway where it is known."""

    net: _Net
    gateway: _Address | None


def problems(
    host: str,
    compose: Compose,
    there: Resources,
    renewed: Collection[str],
    staying: Iterable[Container],
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
        why = _outside(fixed.address, _ranges(fixed, compose, live))
        other = seen.setdefault((fixed.network, fixed.address), fixed.service)
        if not why and other != fixed.service:
            why = f"is also used by {other}"
        name = f"{fixed.network} {fixed.address}"
        by = sorted(service for held_name, service in held if held_name == name)
        if not why and live and by and by != [fixed.service]:
            why = f"is used by a container of {by[0]} now, which stays"
        if why:
            yield MaestroError(
                f"the address {fixed.address} {why}",
                where=fixed.where(host),
                fix="choose another one; `ip_range` of the network's `ipam` keeps the addresses "
                "that the Engine gives apart from fixed ones",
            )


def _all(compose: Compose) -> Iterator[_Fixed]:
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


def _ranges(fixed: _Fixed, compose: Compose, live: Network | None) -> Iterator[_Range]:
    """The subnets of its network: as they are, or as the file has them made."""
    if live:
        items: Iterable[Subnet] = live.subnets
        driver, internal = live.driver, live.internal
    else:
        definition = own(compose, "networks").get(fixed.key) or {}
        items = (definition.get("ipam") or {}).get("config") or []
        driver = str(definition.get("driver") or "bridge")
        internal = bool(definition.get("internal"))
    for item in items:
        try:
            net = ipaddress.ip_network(str(item["subnet"]), strict=False)
            gateway = _gateway(net, item, taken=driver == "bridge" and not internal)
        except (KeyError, ValueError):
            continue  # the Engine chooses; or what is no network is its matter
        yield _Range(net, gateway)


def _gateway(net: _Net, item: Subnet, *, taken: bool) -> _Address | None:
    """What a subnet names as its gateway, or the first address, which a bridge takes.

    Where an ``ip_range`` begins elsewhere, it differs from Engine to Engine which that is.
    """
    if item.get("gateway"):
        # Older Engines write the length of the prefix as well.
        return ipaddress.ip_interface(str(item["gateway"])).ip
    begins = ipaddress.ip_network(str(item.get("ip_range") or net), strict=False).network_address
    if not taken or begins != net.network_address or net.num_addresses == 1:
        return None
    return net.network_address + 1


def _outside(address: _Address, ranges: Iterable[_Range]) -> str:
    alike = [each for each in ranges if each.net.version == address.version]
    if not alike:
        return ""  # the Engine chooses, or it is another's network: not known
    if not any(address in each.net for each in alike):
        return f"is in no subnet of the network ({', '.join(str(each.net) for each in alike)})"
    return "is the network's gateway" if address in [each.gateway for each in alike] else ""

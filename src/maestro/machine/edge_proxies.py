"""The proxies whose word the edge takes: who the client is, and how it came."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_MAPPED = 96  # bits before the IPv4 address in ::ffff:0:0/96, RFC 4291, 2.5.5.2
# The largest private networks: 10.0.0.0/8 and fc00::/7.
_SHORTEST = {4: 8, 6: 7}


def networks(given: Iterable[object]) -> list[str]:
    """Addresses and networks as Traefik takes them: each one a network, without host bits.

    Only for what has no `problems`.
    """
    return sorted({str(_network(str(item))) for item in given})


def problems(given: object) -> list[str]:
    """What is wrong with a list of trusted proxies: one sentence for each entry that is."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return ["it is not a list: write [192.0.2.10, 198.51.100.0/24]"]
    found = []
    for item in given:
        try:
            network = _network(str(item))
        except ValueError:
            found.append(f"{item} is neither an address nor a network such as 192.0.2.0/24")
            continue
        if network.prefixlen < _SHORTEST[network.version]:
            found.append(f"{item} is everybody, or nearly: name the addresses of the proxies")
    return found


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Raises `ValueError`. An interface (``%eth0``) is part of no address that a request has."""
    if "%" in text:
        raise ValueError(text)
    network = ipaddress.ip_network(text.strip(), strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped and network.prefixlen >= _MAPPED:
        return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED))
    return network

"""Who listens at which port of this host, and at which of its addresses."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import edge
from .labels import PROJECT

if TYPE_CHECKING:
    from ..records import Compose, State, TakenFacts

ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104 -- compared, not bound
EDGE_PORTS = (80, 443)  # roles/edge/templates/etc/maestro/edge/traefik.yml.j2
EDGE, CONTAINER, PROGRAM = "edge", "container", "program"
# Kind of socket to the state in which it waits for whoever comes (Linux, include/net/tcp_states.h).
SOCKETS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


@dataclass(frozen=True)
class Taken:
    """A port that is in use: ``kind`` says by whom, ``by`` which container it is."""

    address: str
    port: int
    protocol: str
    kind: str
    by: str = ""

    @classmethod
    def all_of(cls, state: State) -> list[Taken]:
        """What a host's answer says under ``ports``."""
        return [cls(**item) for item in state.get("ports") or ()]


def of_others(
    containers: Iterable[Mapping[str, Any]], stack: str, proc: Path = Path("/proc/net")
) -> list[TakenFacts]:
    """Every port the stack cannot publish; ``containers`` is the listing of the whole host."""
    listed = list(containers)
    published: set[tuple[str, int, str]] = set()
    found: list[Taken] = []
    for item in listed:
        for port in item.get("Ports") or []:
            if not port.get("PublicPort"):
                continue
            place = (str(port.get("IP") or ANY4), int(port["PublicPort"]), str(port["Type"]))
            published.add(place)
            if (item.get("Labels") or {}).get(PROJECT) != stack:
                found.append(Taken(*place, CONTAINER, str(item["Names"][0]).lstrip("/")))
    ours_on_the_host = any(
        item["Labels"].get(PROJECT) == stack and item["HostConfig"].get("NetworkMode") == "host"
        for item in listed
    )
    has_edge = edge.installed()
    for place in sorted(listening(proc) - published):
        if has_edge and place[1] in EDGE_PORTS and place[2] == "tcp":
            found.append(Taken(*place, EDGE))
        # A service of ours on the host's network may listen there, and publish from now on.
        elif not ours_on_the_host:
            found.append(Taken(*place, PROGRAM))
    return [cast("TakenFacts", asdict(item)) for item in found]


def listening(
    proc: Path = Path("/proc/net"), only_v6: Callable[[int, str], bool] | None = None
) -> set[tuple[str, int, str]]:
    """``(address, port, protocol)`` of whatever waits for connections or datagrams.

    A socket at ``::`` that takes IPv4 as well is listed at both addresses.
    """
    found: set[tuple[str, int, str]] = set()
    for kind, waiting in SOCKETS.items():
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = (proc / kind).read_text(encoding="ascii").splitlines()[1:]
        for line in lines:
            _, local, remote, socket_state, *_ = line.split()
            if socket_state == waiting and not remote.split(":")[0].strip("0"):
                at, _, number = local.partition(":")
                found.add((_address(at), int(number, 16), kind[:3]))
    apart = only_v6 or _only_v6
    for address, port, protocol in sorted(found):
        if address == ANY6 and (ANY4, port, protocol) not in found and not apart(port, protocol):
            found.add((ANY4, port, protocol))
    return found


def absent(model: Compose) -> list[str]:
    """The addresses at which services of Compose's reading publish ports and this host has not."""
    named = {
        str(port.get("host_ip") or "").strip("[]")
        for service in (model.get("services") or {}).values()
        for port in service.get("ports") or []
    }
    return sorted(address for address in named if address and not _has(address))


def _has(address: str) -> bool:
    """Whether a socket can be bound to an address; one that is no address is Compose's matter."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except socket.gaierror:
        return True
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _address(kernel: str) -> str:
    """An address from the kernel's form: words of the machine's order, in hex."""
    words = [int(kernel[start : start + 8], 16) for start in range(0, len(kernel), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _only_v6(port: int, protocol: str) -> bool:
    """Whether what listens at ``::`` leaves the same port of IPv4 free; nothing is listened to."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ANY4, port))
        except OSError:
            return False
    return True

"""What a container holds that another one may need: data it writes, ports, its name.

A service's side is read from a release's Compose file, a container's side from the Engine's
listing. Both are compared by what they are on the host (the real names of volumes, paths),
never by the keys of a file.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .labels import PROJECT, SERVICE

if TYPE_CHECKING:
    from ..records import HoldFacts, Writer

VOLUME, PATH, SHARE = "volume", "path", "share"
PORT, NAME, ADDRESS = "port", "name", "address"
# States of a container whose processes run, or may run again any moment.
ALIVE = ("running", "paused", "restarting", "removing")
# Parts of the host that programs open together: nobody keeps data of his own there.
_OF_THE_HOST = ("/dev", "/proc", "/sys", "/run", "/var/run")
_FILES_OF_THE_HOST = tuple(
    f"/etc/{name}"
    for name in ("localtime", "timezone", "hosts", "hostname", "resolv.conf", "machine-id")
)
_FIXED = ("ipv4_address", "ipv6_address", "mac_address")  # of a service on one network
_NAMELESS = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, order=True)
class Hold:
    """``name`` is a volume's name, a path, ``[ADDRESS:]PORT/PROTOCOL`` or a container's name.

    That of an address stands behind the name of its network.
    ``writes`` is false for a mount that is read-only.
    """

    kind: str
    name: str
    writes: bool = True

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def data(self) -> bool:
        """Whether it is data, which some files let two containers share."""
        return self.kind in (VOLUME, PATH, SHARE)


@dataclass(frozen=True)
class Holder:
    """A container that runs, and what it holds; one that ``stays`` is as the aim wants it.

    ``nameless`` are the paths at which it keeps volumes without a name.
    """

    container: str
    service: str
    holds: tuple[Hold, ...]
    stays: bool = False
    nameless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """What new containers of a service will hold.

    ``beside`` says that the stack's file wants them started beside what they replace, with the
    data they share.
    """

    service: str
    holds: tuple[Hold, ...]
    beside: bool = False


@dataclass(frozen=True)
class Clash:
    """A running container that has to stop before a service's new ones start, and over what."""

    holder: Holder
    service: str
    hold: Hold


def of_service(
    service: Mapping[str, Any], compose: Mapping[str, Any], *, name: str = ""
) -> list[Hold]:
    """What each container of a service holds, as a release's whole file defines it."""
    found = {*mounted(service, compose, seen=frozenset([name]))}
    for port in service.get("ports") or []:
        published = str(port.get("published") or "")
        if published.isdigit():
            address = str(port.get("host_ip") or "")
            found.add(Hold(PORT, _port(address, published, str(port.get("protocol") or "tcp"))))
    if service.get("container_name"):
        found.add(Hold(NAME, str(service["container_name"])))
    return sorted({*found, *_addresses(service, compose)})


def _addresses(service: Mapping[str, Any], compose: Mapping[str, Any]) -> Iterable[Hold]:
    """The fixed addresses of a service: no two containers of a network can have one."""
    defined = compose.get("networks") or {}
    for key, end in (service.get("networks") or {}).items():
        name = str((defined.get(key) or {}).get("name") or key)
        for kind in _FIXED:
            if address := (end or {}).get(kind):
                yield Hold(ADDRESS, f"{name} {str(address).lower()}")


def mounted(
    service: Mapping[str, Any], compose: Mapping[str, Any], seen: frozenset[str] = frozenset()
) -> Iterable[Hold]:
    """The data a service mounts: named volumes, paths of the host, another service's mounts."""
    for mount in service.get("volumes") or []:
        writes = not mount.get("read_only")
        source = str(mount.get("source") or "")
        if mount.get("type") == "bind" and source:
            yield from _path(source, writes=writes)
        elif mount.get("type") == "volume" and source:
            yield from _volume(source, compose, writes=writes)
    for entry in service.get("volumes_from") or []:
        other, _, mode = str(entry).partition(":")
        lender = (compose.get("services") or {}).get(other)
        if other in seen or lender is None:
            continue
        for hold in mounted(lender, compose, seen | {other}):
            yield Hold(hold.kind, hold.name, writes=hold.writes and mode != "ro")


def _volume(key: str, compose: Mapping[str, Any], *, writes: bool) -> Iterable[Hold]:
    defined = (compose.get("volumes") or {}).get(key) or {}
    yield Hold(VOLUME, str(defined.get("name") or key), writes)
    yield from of_options(defined.get("driver_opts") or {}, writes=writes)


def of_options(options: Mapping[str, Any], *, writes: bool = True) -> Iterable[Hold]:
    """What lies behind a volume of the local driver: a path of the host or a share."""
    device, words = str(options.get("device") or ""), str(options.get("o") or "").split(",")
    writes = writes and "ro" not in words
    if device.startswith("/") and {"bind", "rbind"} & set(words):
        yield from _path(device, writes=writes)
    elif device and options.get("type") not in ("tmpfs", "none", None):
        address = next((word for word in words if word.startswith("addr=")), "")
        yield Hold(SHARE, f"{options['type']} {address.removeprefix('addr=')} {device}", writes)


def _path(source: str, *, writes: bool) -> Iterable[Hold]:
    path = posixpath.normpath(source)
    above = any(_within(path, top) for top in _OF_THE_HOST)
    if path.startswith("/") and not above and path not in _FILES_OF_THE_HOST:
        yield Hold(PATH, path, writes)


def behind(
    listed: Iterable[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The Engine's listing of containers, with what lies behind the volumes they mount.

    Each mount of a volume gets the ``Options`` that the listing of volumes has for it.
    """
    options = {str(item["Name"]): item["Options"] for item in volumes if item.get("Options")}
    return [
        {
            **item,
            "Mounts": [
                {**mount, "Options": options.get(str(mount.get("Name")), {})}
                for mount in item.get("Mounts") or []
            ],
        }
        for item in listed
    ]


def of_container(item: Mapping[str, Any]) -> list[Hold]:
    """What a container of the Engine's listing holds; see `behind` for volumes with options."""
    found = {Hold(NAME, name.lstrip("/")) for name in (item.get("Names") or [])[:1]}
    for mount in item.get("Mounts") or []:
        writes = bool(mount.get("RW", True))
        if mount.get("Type") == "volume" and mount.get("Name"):
            found.add(Hold(VOLUME, str(mount["Name"]), writes))
            found.update(of_options(mount.get("Options") or {}, writes=writes))
        elif mount.get("Type") == "bind" and mount.get("Source"):
            found.update(_path(str(mount["Source"]), writes=writes))
    for port in item.get("Ports") or []:
        if port.get("PublicPort"):
            address = str(port.get("IP") or "")
            found.add(Hold(PORT, _port(address, str(port["PublicPort"]), str(port["Type"]))))
    for name, end in ((item.get("NetworkSettings") or {}).get("Networks") or {}).items():
        for kind in ("IPAddress", "GlobalIPv6Address", "MacAddress"):
            if end.get(kind):
                found.add(Hold(ADDRESS, f"{name} {str(end[kind]).lower()}"))
    return sorted(found)


def nameless(item: Mapping[str, Any]) -> dict[str, str]:
    """The volumes without a name of a container of the listing: path to the Engine's own name."""
    return {
        str(mount["Destination"]): str(mount["Name"])
        for mount in item.get("Mounts") or []
        if mount.get("Type") == "volume" and _NAMELESS.match(str(mount.get("Name") or ""))
    }


def promised(detail: Mapping[str, Any]) -> list[Hold]:
    """The ports and fixed addresses that an inspected container takes each time it starts.

    The listing shows them while it runs, and not in the pauses of one that crashes and is
    started again.
    """
    found = set()
    bindings = (detail.get("HostConfig") or {}).get("PortBindings") or {}
    for target, ends in bindings.items():
        protocol = str(target).partition("/")[2] or "tcp"
        for end in ends or []:
            if str(end.get("HostPort") or "").isdigit():
                address = str(end.get("HostIp") or "")
                found.add(Hold(PORT, _port(address, str(end["HostPort"]), protocol)))
    for name, end in ((detail.get("NetworkSettings") or {}).get("Networks") or {}).items():
        fixed = end.get("IPAMConfig") or {}
        for kind in ("IPv4Address", "IPv6Address"):
            if fixed.get(kind):
                found.add(Hold(ADDRESS, f"{name} {str(fixed[kind]).lower()}"))
    return sorted(found)


def between_starts(item: Mapping[str, Any]) -> bool:
    """Whether a container of the listing waits to be started again, see `promised`."""
    return item.get("State") == "restarting"


def now(item: Mapping[str, Any], detail: Mapping[str, Any] | None = None) -> list[Hold]:
    """What a container of the listing holds as it is now, links resolved; nothing when stopped.

    ``detail`` is its inspection, needed for one that is `between_starts`.
    """
    if not alive(item):
        return []
    more = promised(detail) if detail and between_starts(item) else []
    return sorted({*map(real, of_container(item)), *more})


def of_others(containers: Iterable[Mapping[str, Any]], stack: str) -> list[Writer]:
    """Every running container of the host that is not of this stack, and the data it writes."""
    found: list[Writer] = []
    for item in containers:
        labels = item.get("Labels") or {}
        data = writes_data(now(item)) if labels.get(PROJECT) != stack else []
        if data:
            found.append(
                {
                    "container": str((item.get("Names") or [item["Id"]])[0]).lstrip("/"),
                    "project": str(labels.get(PROJECT, "")),
                    "service": str(labels.get(SERVICE, "")),
                    "holds": dump(data),
                }
            )
    return found


def alive(item: Mapping[str, Any]) -> bool:
    """Whether a container of the listing holds what it holds now."""
    return item.get("State") in ALIVE


def clash(one: Hold, other: Hold) -> bool:
    """Whether two containers would have the same thing, and one of them would change it."""
    if not one.writes and not other.writes:
        return False
    kinds = {one.kind, other.kind}
    if kinds == {VOLUME, PATH}:
        volume, path = (one, other) if one.kind == VOLUME else (other, one)
        return f"/volumes/{volume.name}/_data/" in f"{path.name}/"
    if len(kinds) > 1:
        return False
    if one.kind == PATH and one.writes and other.writes:
        return _within(one.name, other.name) or _within(other.name, one.name)
    if one.kind == PORT:
        return _same_port(one.name, other.name)
    return one.name == other.name


def in_the_way(
    needs: Iterable[Need], there: Sequence[Holder], aim: Mapping[str, Sequence[Hold]]
) -> list[Clash]:
    """The running containers that have to stop before what is needed can start.

    Those of a service itself go by its own order. ``aim`` is what every service of the release
    to come holds: what two services hold together in one release, the file lets them hold
    together on the way to it as well.
    """
    found = []
    for need in needs:
        beside_it = [item for item in there if item.service == need.service]
        for holder in there:
            if holder.service == need.service or holder.stays:
                continue
            over = [
                mine
                for mine, its in _pairs(need, holder)
                if not (mine.data and (need.beside or _agreed(mine, its, holder, beside_it, aim)))
            ]
            found += [Clash(holder, need.service, mine) for mine in over[:1]]
    return found


def _pairs(need: Need, holder: Holder) -> Iterable[tuple[Hold, Hold]]:
    return ((mine, its) for mine in need.holds for its in holder.holds if clash(mine, its))


def _agreed(
    mine: Hold,
    its: Hold,
    holder: Holder,
    beside_it: Iterable[Holder],
    aim: Mapping[str, Sequence[Hold]],
) -> bool:
    """Whether one release, the old or the new, has both services at it and writing as much."""
    before = (hold for item in beside_it for hold in item.holds if hold.writes or not mine.writes)
    after = (hold for hold in aim.get(holder.service, ()) if hold.writes or not its.writes)
    return any(hold.data and clash_of_data(hold, its) for hold in before) or any(
        hold.data and clash_of_data(hold, mine) for hold in after
    )


def clash_of_data(one: Hold, other: Hold) -> bool:
    """Whether two are the same data, whoever writes it."""
    return clash(Hold(one.kind, one.name), Hold(other.kind, other.name))


def real(hold: Hold, path_of: Callable[[str], str] = os.path.realpath) -> Hold:
    """The same with links resolved: two paths of the host may be one."""
    return Hold(PATH, path_of(hold.name), hold.writes) if hold.kind == PATH else hold


def dump(found: Iterable[Hold]) -> list[HoldFacts]:
    """As a manifest records it."""
    return [{"kind": hold.kind, "name": hold.name, "writes": hold.writes} for hold in found]


def load(recorded: Iterable[HoldFacts]) -> tuple[Hold, ...]:
    """As a manifest recorded it."""
    return tuple(Hold(str(i["kind"]), str(i["name"]), bool(i["writes"])) for i in recorded)


def writes_data(found: Collection[Hold]) -> list[Hold]:
    """Those of data that are written."""
    return [hold for hold in found if hold.data and hold.writes]


def _port(address: str, port: str, protocol: str) -> str:
    everywhere = address in ("", "0.0.0.0", "::")  # noqa: S104 -- compared, not bound
    return f"{port}/{protocol}" if everywhere else f"{address}:{port}/{protocol}"


def _same_port(one: str, other: str) -> bool:
    (one_address, _, one_port), (address, _, port) = one.rpartition(":"), other.rpartition(":")
    return one_port == port and (not one_address or not address or one_address == address)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")

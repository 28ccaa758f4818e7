"""Networks and volumes of a stack's file beside those the Engine has.

Neither can be changed once it is there. A network is recreated, with all containers on it; a
volume holds data, and stays.
https://github.com/compose-spec/compose-spec/blob/main/06-networks.md and 07-volumes.md
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.drift import digest
from ..host.labels import COMPOSE, CONFIG_HASH, NETWORK
from ..host.resources import Network, Resources, Volume
from ..stack.model import unescaped
from .reasons import ADDRESSES, CALLED, Reason, all_shown, shown

if TYPE_CHECKING:
    from ..records import Compose, Container, Definition, Subnet

_DEFAULT_DRIVER = {"networks": "bridge", "volumes": "local"}
_JUDGED = ("name", "external", "driver", "driver_opts", "labels", "ipam")
_FLAGS = ("internal", "attachable", "enable_ipv6")


@dataclass(frozen=True)
class Anew:
    """A network that is removed, so that it is made as the file says.

    ``key`` is its name in the file, empty for one the file does not have any more. ``services``
    are those whose containers are on it: they stop before, and the file's own start after.
    """

    name: str
    key: str
    reasons: tuple[Reason, ...]
    services: tuple[str, ...]

    def has(self, service: str) -> bool:
        """Whether a service's containers are on it."""
        return service in self.services

    @property
    def shown(self) -> str:
        """A line of the plan."""
        what = "is recreated" if self.key else "is removed"
        stops = f": replaces {', '.join(self.services)}" if self.services else ""
        return f"{self.name} {what} ({all_shown(self.reasons)}){stops}"


def own(compose: Compose, kind: str) -> dict[str, Definition]:
    """The ``networks`` or ``volumes`` that are the file's own, by key, each with its name."""
    return {key: item for key, item in _defined(compose, kind).items() if not item.get("external")}


def _defined(compose: Compose, kind: str) -> dict[str, Definition]:
    project = str(compose.get("name") or "")
    found: dict[str, Definition] = {}
    for key, definition in (compose.get(kind) or {}).items():
        item = dict(unescaped(definition or {}))
        fallback = key if item.get("external") else f"{project}_{key}"
        found[str(key)] = {**item, "name": str(item.get("name") or fallback)}
    return found


def anew(compose: Compose, recorded: Compose, there: Resources, project: str) -> list[Anew]:
    """Networks that are there and are not what the file says; ``recorded`` is what serves."""
    before = {item["name"]: item for item in own(recorded, "networks").values()}
    wanted = own(compose, "networks")
    found: dict[str, Anew] = {}
    for key, definition in wanted.items():
        live = there.networks.get(definition["name"])
        if not live:
            continue
        reasons = [*network(definition, before.get(live.name), live), *_key(key, live, project)]
        if reasons:
            found[live.name] = Anew(live.name, key, tuple(reasons), _on(live.name, project, there))
    names = {item["name"] for item in wanted.values()}
    for live in there.networks.values():
        # One that goes, and holds addresses that one to come needs.
        if live.project == project and live.name not in names:
            needs = [
                item["name"]
                for item in wanted.values()
                if (item["name"] in found or item["name"] not in there.networks)
                and _overlap(item, live)
            ]
            if needs:
                why = (Reason(ADDRESSES, (needs[0],)),)
                found[live.name] = Anew(live.name, "", why, _on(live.name, project, there))
    return [found[name] for name in sorted(found)]


def lacking(compose: Compose, service: str, there: Iterable[Container]) -> list[str]:
    """Networks of a service that one of its containers is not on.

    An answer of an older program says nothing of the networks of a container.
    """
    defined = _defined(compose, "networks")
    keys = compose["services"][service].get("networks") or {}
    wanted = {str(defined[key]["name"]) for key in keys if key in defined}
    return sorted(
        {name for item in there if "networks" in item for name in wanted - set(item["networks"])}
    )


def _key(key: str, live: Network, project: str) -> Iterable[Reason]:
    """The name of a network in the file that made it: Compose refuses one that has another."""
    made_as = live.labels.get(NETWORK, key)
    if live.project == project and made_as != key:
        yield Reason(CALLED, (), str(made_as), key)


def _on(name: str, project: str, there: Resources) -> tuple[str, ...]:
    ours = [use for use in there.uses if use.project == project and not use.one_off]
    return tuple(sorted({use.service for use in ours if name in use.networks}))


def network(wanted: Definition, before: Definition | None, live: Network) -> list[Reason]:
    """What of a network is not as the file says, by the file's own words.

    What a file leaves out is the Engine's own choice, and no difference; unless the file
    before said it (``before``), for then it is still there.
    """
    old = before or {}
    found = _driver("networks", wanted, live.driver)
    found += [
        Reason(key)
        for key in _FLAGS
        if (wanted.get(key) is not None or old.get(key) is not None or key != "enable_ipv6")
        and bool(wanted.get(key)) != bool(getattr(live, key))
    ]
    found += _options(wanted, old, live.options)
    found += _labels(wanted, old, live.labels)
    found += _ipam(wanted.get("ipam") or {}, old.get("ipam") or {}, live)
    if before is None:
        return found
    judged = {*_JUDGED, *_FLAGS}
    found += [
        Reason(key)
        for key in sorted({*wanted, *old})
        if key not in judged and not key.startswith("x-") and wanted.get(key) != old.get(key)
    ]
    # Compose from 2.33 on compares a hash of the definition itself.
    if not found and CONFIG_HASH in live.labels and _plain(wanted) != _plain(old):
        found.append(Reason("definition"))
    return found


def _plain(definition: Definition) -> Definition:
    return {key: value for key, value in definition.items() if not key.startswith("x-")}


def volume(wanted: Definition, before: Definition | None, live: Volume) -> list[Reason]:
    """What of a volume is not as the file says; as for `network`."""
    old = before or {}
    hashed = {"driver_opts": {k: digest(str(v)) for k, v in _mapping(wanted, "driver_opts")}}
    found = _driver("volumes", wanted, live.driver)
    found += _options({**wanted, **hashed}, old, live.options)
    return found + _labels(wanted, old, live.labels)


def _driver(kind: str, wanted: Definition, live: str) -> list[Reason]:
    driver = str(wanted.get("driver") or _DEFAULT_DRIVER[kind])
    asked = _DEFAULT_DRIVER[kind] if driver == "default" else driver
    return [Reason("driver")] if asked != live else []


def _mapping(definition: Definition, key: str) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in (definition.get(key) or {}).items()]


def _options(wanted: Definition, old: Definition, live: Mapping[str, str]) -> list[Reason]:
    return _pairs("driver_opts", wanted, old, live)


def _labels(wanted: Definition, old: Definition, live: Mapping[str, str]) -> list[Reason]:
    own_labels = {key: value for key, value in live.items() if not key.startswith(COMPOSE)}
    return _pairs("labels", wanted, old, own_labels)


def _pairs(what: str, wanted: Definition, old: Definition, live: Mapping[str, str]) -> list[Reason]:
    said = dict(_mapping(wanted, what))
    names = {key for key, value in said.items() if live.get(key) != value}
    names |= {key for key, _ in _mapping(old, what) if key not in said and key in live}
    return [Reason(what, tuple(sorted(names)))] if names else []


def _ipam(wanted: Definition, old: Definition, live: Network) -> list[Reason]:
    options = {str(k): str(v) for k, v in (wanted.get("options") or {}).items()}
    there = [_ranges(item) for item in live.subnets]
    said = [_ranges(item) for item in wanted.get("config") or []]
    after = {str(item.get("subnet")): item for item in said}
    before = {str(item.get("subnet")): item for item in map(_ranges, old.get("config") or [])}
    differs = (
        str(wanted.get("driver") or "default") != live.ipam_driver
        or any(live.ipam_options.get(key) != value for key, value in options.items())
        or not all(any(item.items() <= known.items() for known in there) for item in said)
        # What the file before asked for, and this one does not.
        or any(
            set(item) - set(after.get(subnet, {}))
            for subnet, item in before.items()
            if subnet in {str(known.get("subnet")) for known in there}
        )
    )
    return [Reason("ipam")] if differs else []


def _ranges(item: Subnet) -> dict[str, str | dict[str, str]]:
    """A subnet's entry, each address written in one way."""
    return {
        str(key): {str(k): _address(v) for k, v in value.items()}
        if isinstance(value, Mapping)
        else _address(value)
        for key, value in item.items()
        if value
    }


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_interface(str(value)) if "/" not in str(value) else _net(value))
    except ValueError:
        return str(value)


def _net(value: Any) -> Any:
    return ipaddress.ip_network(str(value), strict=False)


def _overlap(definition: Definition, live: Network) -> bool:
    return _meet(_subnets(definition), live.subnets)


def _subnets(definition: Definition) -> list[Subnet]:
    return (definition.get("ipam") or {}).get("config") or []


def _meet(some: Iterable[Subnet], others: Sequence[Subnet]) -> bool:
    """Whether an address is in both."""
    for one in (item.get("subnet") for item in some):
        for other in (item.get("subnet") for item in others):
            if not one or not other:
                continue
            try:
                first, second = _net(one), _net(other)
            except ValueError:
                continue
            if first.version == second.version and first.overlaps(second):
                return True
    return False


# What is refused


def preflight(
    host: str,
    compose: Compose,
    there: Resources,
    renewed: Iterable[Anew],
    project: str,
) -> list[MaestroError]:
    """Networks and volumes that are missing, taken, or cannot be made as the file says."""
    changed = {item.name: item for item in renewed}
    return [
        *_missing(host, compose, there),
        *_foreign(host, changed, there, project),
        *_collisions(host, compose, there, changed, project),
        *_double(host, compose),
    ]


def _missing(host: str, compose: Compose, there: Resources) -> Iterable[MaestroError]:
    """External networks and volumes that are not there: Compose makes none of them."""
    for kind, names in (("networks", there.networks), ("volumes", there.volumes)):
        for key, item in _defined(compose, kind).items():
            if item.get("external") and item["name"] not in names:
                yield MaestroError(
                    f"the external {kind[:-1]} {item['name']} is not there",
                    where=f"{host}: {kind}.{key}",
                    fix=f"on the host: docker {kind[:-1]} create {item['name']}; or remove "
                    "`external: true`, and the stack has one of its own",
                )


def _foreign(
    host: str, changed: Mapping[str, Anew], there: Resources, project: str
) -> Iterable[MaestroError]:
    for name, item in changed.items():
        guests = sorted(
            use.container
            for use in there.uses
            if name in use.networks and (use.project != project or use.one_off)
        )
        if guests:
            yield MaestroError(
                f"the network {item.shown}, and containers that are no service of {project} are on "
                f"it: {', '.join(guests)}",
                where=f"{host}: networks.{item.key or name}",
                fix="stop what needs them, then on the host: "
                + "; ".join(f"docker network disconnect -f {name} {guest}" for guest in guests)
                + f"; or leave the network as it is ({', '.join(map(shown, item.reasons))})",
            )


def _collisions(
    host: str,
    compose: Compose,
    there: Resources,
    changed: Mapping[str, Anew],
    project: str,
) -> Iterable[MaestroError]:
    """Networks to be made whose addresses another one of this host has."""
    for key, item in own(compose, "networks").items():
        if item["name"] in there.networks and item["name"] not in changed:
            continue
        for live in there.networks.values():
            if live.name in changed or live.name == item["name"] or not _overlap(item, live):
                continue
            whose = f" of {live.project}" if live.project not in ("", project) else ""
            yield MaestroError(
                f"the addresses of the network {item['name']} are those of {live.name}{whose} "
                "as well",
                where=f"{host}: networks.{key}.ipam",
                fix="choose another subnet, or leave `ipam` out: the Engine finds a free one",
            )


def _double(host: str, compose: Compose) -> Iterable[MaestroError]:
    """Two networks of one file that cannot both be made."""
    for (one, first), (other, second) in combinations(own(compose, "networks").items(), 2):
        if first["name"] != second["name"] and _meet(_subnets(first), _subnets(second)):
            yield MaestroError(
                f"the addresses of {one} and of {other} overlap",
                where=f"{host}: networks.{other}.ipam",
                fix="choose another subnet, or leave `ipam` out: the Engine finds a free one",
            )


def changed_volumes(
    host: str, compose: Compose, recorded: Compose, there: Resources
) -> list[MaestroError]:
    """Volumes that are there and are not what the file says; `-e accept_volume_change` goes on."""
    before = {item["name"]: item for item in own(recorded, "volumes").values()}
    problems = []
    for key, item in own(compose, "volumes").items():
        live = there.volumes.get(item["name"])
        if live and (found := volume(item, before.get(live.name), live)):
            problems.append(
                MaestroError(
                    f"the volume {live.name} differs from what the file says now: "
                    f"{all_shown(found)}; and a volume cannot be changed",
                    where=f"{host}: volumes.{key}",
                    fix=f"take the change back; or copy the data to a volume of another name and "
                    f"give that as volumes.{key}.name; or keep {live.name} as it is and say "
                    "-e accept_volume_change=true",
                )
            )
    return problems


def drift(compose: Compose, there: Resources) -> list[str]:
    """Networks and volumes of a release's file that are gone or are not what it says."""
    found = []
    for kind, live in (("networks", there.networks), ("volumes", there.volumes)):
        for item in _defined(compose, kind).values():
            name = str(item["name"])
            if name not in live:
                found.append(f"{kind[:-1]} {name}: missing")
                continue
            if item.get("external"):
                continue
            different = (
                network(item, None, there.networks[name])
                if kind == "networks"
                else volume(item, None, there.volumes[name])
            )
            if different:
                found.append(f"{kind[:-1]} {name} is not as released: {all_shown(different)}")
    return found

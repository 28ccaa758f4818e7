"""The networks and volumes of this host's Engine, as its two listings tell of them.

API: https://docs.docker.com/reference/api/engine/version/v1.45/#tag/Network/operation/NetworkList
and .../#tag/Volume/operation/VolumeList
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from .drift import digest
from .engine import Engine
from .holds import ALIVE
from .labels import ONE_OFF, PROJECT, SERVICE

if TYPE_CHECKING:
    from ..records import ResourceFacts, Serving, Subnet


@dataclass(frozen=True)
class Network:
    """One network. ``subnets`` are ``{subnet, gateway, ip_range, aux_addresses}``, as in a file."""

    name: str
    id: str = ""
    driver: str = "bridge"
    scope: str = "local"
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    ipam_driver: str = "default"
    ipam_options: Mapping[str, str] = field(default_factory=dict)
    subnets: Sequence[Subnet] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The Compose project it was made for; empty for any other."""
        return str(self.labels.get(PROJECT, ""))


@dataclass(frozen=True)
class Volume:
    """One volume; ``options`` are digests of what its driver was given: a password may be in it."""

    name: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The Compose project it was made for; empty for any other."""
        return str(self.labels.get(PROJECT, ""))


@dataclass(frozen=True)
class Use:
    """A container that is attached to a network, running or not, whoever it belongs to.

    ``one_off``: `docker compose run` made it and it runs. No service's change stops it.
    """

    container: str
    project: str
    service: str
    networks: tuple[str, ...]
    one_off: bool = False


@dataclass(frozen=True)
class Resources:
    """All networks and volumes of a host by their names, and who is attached to which network."""

    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    uses: tuple[Use, ...] = ()

    def as_dict(self) -> ResourceFacts:
        """As an answer of a host carries it."""
        return cast("ResourceFacts", asdict(self))

    @classmethod
    def of(cls, state: Serving) -> Resources:
        """What a host's answer says under ``resources``; empty for a host that says nothing."""
        found = state.get("resources") or {}
        return cls(
            {name: Network(**item) for name, item in (found.get("networks") or {}).items()},
            {name: Volume(**item) for name, item in (found.get("volumes") or {}).items()},
            tuple(
                Use(
                    item["container"],
                    item["project"],
                    item["service"],
                    tuple(item["networks"]),
                    item.get("one_off", False),
                )
                for item in found.get("uses") or ()
            ),
        )


def read(
    engine: Engine,
    containers: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]] | None = None,
) -> Resources:
    """What the Engine's listings say of this host.

    ``containers`` and ``volumes`` are its listings of all containers and volumes; that of the
    volumes is asked for where it is not given.
    """
    listed = engine.volumes() if volumes is None else volumes
    return Resources(
        {str(item["Name"]): network(item) for item in engine.networks()},
        {str(item["Name"]): volume(item) for item in listed},
        tuple(_use(item) for item in containers if not _left_over(item)),
    )


def network(item: Mapping[str, Any]) -> Network:
    """One entry of the Engine's listing of networks."""
    ipam = item.get("IPAM") or {}
    return Network(
        name=str(item["Name"]),
        id=str(item.get("Id", "")),
        driver=str(item.get("Driver") or ""),
        scope=str(item.get("Scope") or "local"),
        internal=bool(item.get("Internal")),
        attachable=bool(item.get("Attachable")),
        enable_ipv6=bool(item.get("EnableIPv6")),
        ipam_driver=str(ipam.get("Driver") or "default"),
        ipam_options=dict(ipam.get("Options") or {}),
        subnets=tuple(_subnet(entry) for entry in ipam.get("Config") or []),
        options=dict(item.get("Options") or {}),
        labels=dict(item.get("Labels") or {}),
    )


def volume(item: Mapping[str, Any]) -> Volume:
    """One entry of the Engine's listing of volumes."""
    return Volume(
        name=str(item["Name"]),
        driver=str(item.get("Driver") or "local"),
        options={key: digest(str(value)) for key, value in (item.get("Options") or {}).items()},
        labels=dict(item.get("Labels") or {}),
    )


def _subnet(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "subnet": "Subnet",
        "gateway": "Gateway",
        "ip_range": "IPRange",
        "aux_addresses": "AuxiliaryAddresses",
    }
    return {key: entry[name] for key, name in names.items() if entry.get(name)}


def _left_over(item: Mapping[str, Any]) -> bool:
    """Whether `docker compose run` made a container that has ended: it keeps no network."""
    return _one_off(item) and item.get("State") not in ALIVE


def _one_off(item: Mapping[str, Any]) -> bool:
    return bool((item.get("Labels") or {}).get(ONE_OFF, "False") == "True")


def _use(item: Mapping[str, Any]) -> Use:
    labels = item.get("Labels") or {}
    return Use(
        container=str((item.get("Names") or [item["Id"]])[0]).lstrip("/"),
        project=str(labels.get(PROJECT, "")),
        service=str(labels.get(SERVICE, "")),
        networks=tuple(sorted((item.get("NetworkSettings") or {}).get("Networks") or {})),
        one_off=_one_off(item),
    )

"""User namespaces of the Engine (``userns-remap``): whose a container's user is on the host.

The uid 1000 in a container is then the host's uid BASE + 1000, which is nobody's. What the Engine
maps is in /etc/subuid and /etc/subgid; where it begins, the name of its data directory says.
https://docs.docker.com/engine/security/userns-remap/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from .engine import Engine

ETC = Path("/etc")
USUAL = 65536  # ids of a range, where no file says how many
_DATA = re.compile(r"/([0-9]+)\.([0-9]+)/*\Z")


@dataclass(frozen=True)
class Ids:
    """Uids or gids: ranges of the host (first, how many), in the order a container counts them.

    Without any a container's numbers are the host's.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    def on_host(self, number: int) -> int | None:
        """The host's number of a container's; ``None`` where it has none."""
        if not self.ranges:
            return number
        for first, count in self.ranges:
            if number < count:
                return first + number
            number -= count
        return None

    def inside(self, number: int) -> int:
        """The container's number of a host's; one that no container has stays as it is."""
        passed = 0
        for first, count in self.ranges:
            if first <= number < first + count:
                return passed + number - first
            passed += count
        return number


@dataclass(frozen=True)
class Remap:
    """What the Engine makes of the users of containers; of `userns_mode: host` nothing."""

    uids: Ids = Ids()
    gids: Ids = Ids()

    @property
    def on(self) -> bool:
        """Whether it makes anything of them."""
        return bool(self.uids.ranges)

    @property
    def place(self) -> tuple[int, ...]:
        """Where it begins: an Engine that begins elsewhere has other containers and volumes."""
        return tuple(ids.ranges[0][0] for ids in (self.uids, self.gids) if ids.ranges)

    def owner(self, uid: int, gid: int, *, host: bool = False) -> tuple[int, int]:
        """Whose a file of a container's ``uid`` and ``gid`` must be on the host.

        ``host`` is for a service in the host's user namespace. Raises `MaestroError`.
        """
        if host:
            return uid, gid
        found = self.uids.on_host(uid), self.gids.on_host(gid)
        if found[0] is None or found[1] is None:
            raise MaestroError(
                f"the Engine's user namespaces have no place for the uid {uid} and the gid {gid}",
                where="/etc/subuid, /etc/subgid",
                fix="use smaller numbers, or give dockremap larger ranges there",
            )
        return found[0], found[1]

    def as_json(self) -> dict[str, list[list[int]]]:
        """As a plan is told of it; empty where nothing is remapped."""
        if not self.on:
            return {}
        kinds = {"uids": self.uids, "gids": self.gids}
        return {key: [list(item) for item in ids.ranges] for key, ids in kinds.items()}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Remap:
        """What `as_json` wrote down as ``userns`` of an answer; an older one says nothing."""
        found = state.get("userns") or {}
        kinds = [
            Ids(tuple((int(first), int(count)) for first, count in found.get(key, ())))
            for key in ("uids", "gids")
        ]
        return cls(*kinds)


OFF = Remap()


def of_host(service: Mapping[str, Any]) -> bool:
    """Whether a service's users are the host's, whatever the Engine makes of those of others."""
    return service.get("userns_mode") == "host"


def here(engine: Engine | None = None) -> Remap:
    """What the Engine of this host does."""
    return read((engine or Engine()).info())


def read(info: Mapping[str, Any], etc: Path = ETC) -> Remap:
    """By the Engine's own ``GET /info``; `MaestroError` when that does not tell."""
    options = [str(option) for option in info.get("SecurityOptions") or []]
    if not any(option.split(",")[0] == "name=userns" for option in options):
        return OFF
    data = str(info.get("DockerRootDir") or "")
    found = _DATA.search(data)
    if not found:
        raise MaestroError(
            f"the Engine has user namespaces, and its data directory {data} does not say which",
            where="docker info",
            fix="set docker_engine_userns_remap: true and run maestro.stacks.provision",
        )
    first = [int(number) for number in found.groups()]
    return Remap(
        Ids(_ranges(etc / "subuid", first[0])),
        Ids(_ranges(etc / "subgid", first[1])),
    )


def _ranges(path: Path, first: int) -> tuple[tuple[int, int], ...]:
    """All ranges of the owner whose first one begins there."""
    lines = _lines(path)
    owner = next((name for name, start, _ in lines if start == first), None)
    found = [(start, count) for name, start, count in lines if name == owner]
    if found and found[0][0] != first:
        found = sorted(found)
    return tuple(found) if found and found[0][0] == first else ((first, USUAL),)


def _lines(path: Path) -> list[tuple[str, int, int]]:
    """Owner, first id and how many, of each line that is one."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [
        (owner, int(first), int(many))
        for owner, first, many in re.findall(r"(?m)^([^:\s]+):([0-9]+):([0-9]+)\s*$", text)
    ]

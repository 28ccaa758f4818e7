"""A host that does as it is told and writes it down: for tables of facts in, exact commands out.

It stands at the borders of what runs on a host, and takes the place of none of its logic: the
Engine's API (`Engine.request`), Compose's command line (`compose.run`), the edge (`edge.assign`,
`drain` and `withdraw`), connections to containers, and the clock. A question changes nothing and
is not written down. What a command makes of the containers is what the real one does; tests/e2e
show the same on real hosts.

`Host.said` are the commands in their order, in words: only a request that is exactly the usual
one has any, each other stands there as it was sent. Seconds that went by stand between them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import address, compose, edge, labels, probe, stirring
from maestro.host.engine import Engine
from maestro.host.layout import Layout, write_atomically

STACK = "shop"
NETWORK = f"{STACK}_default"
NAMELESS = "e" * 64
EPOCH = 1_800_000_000.0
# The usual requests, each with all its parameters: ``v=0`` keeps the volumes.
WORDS = (
    (r"POST /containers/(\S+)/stop", "stop {}"),
    (r"DELETE /containers/(\S+)\?v=0&force=1", "remove {}"),
    (r"POST /containers/(\S+)/restart", "restart {}"),
    (r"POST /containers/(\S+)/unpause", "unpause {}"),
    (r"POST /containers/(\S+)/start", "start {}"),
    (r"POST /containers/create\?name=(\S+)", "create {}"),
    (r"POST /containers/(\S+)/rename\?name=(\S+)", "rename {} {}"),
    (r"DELETE /networks/(\S+)", "remove network {}"),
    (r"DELETE /volumes/(\S+)", "remove volume {}"),
)
# How the containers of a service fare once they are started.
HEALTHY, UNHEALTHY, EXITS, CRASHES, DONE = "healthy", "unhealthy", "exits", "crashes", "done"
NEVER = "does not start"  # Compose makes it, and the Engine cannot start it
SICK_AFTER = 2.0  # seconds, of one that is `LATER`
LATER = "unhealthy later"


@dataclass
class Container:
    """One on the host; ``made`` is the definition's hash, empty for one that was made by hand.

    ``fate`` may be several, each for one of those that Compose makes in turn.
    """

    id: str
    service: str = "web"
    made: str = "old"
    state: str = "running"
    fate: str = HEALTHY
    checked: bool = True
    volume: str = ""
    ports: tuple[int, ...] = ()
    nameless: bool = False
    borrows: str = ""
    network: str = NETWORK
    started: float = EPOCH - 3600
    created: int = 0

    def now(self, clock: float) -> tuple[str, str, int]:
        """Its status, its health (empty without a check), and how often it was restarted."""
        if self.state != "running":
            return self.state, "", 0
        if self.fate in (EXITS, DONE):
            return "exited", "", 0
        if self.fate == CRASHES:
            return "restarting", "", 5
        sick = self.fate == UNHEALTHY or (self.fate == LATER and clock - self.started >= SICK_AFTER)
        return "running", ("unhealthy" if sick else "healthy") if self.checked else "", 0

    @property
    def mounts(self) -> list[dict[str, Any]]:
        found = [{"Type": "volume", "Name": self.volume, "Destination": "/data", "RW": True}]
        bare = [{"Type": "volume", "Name": NAMELESS, "Destination": "/bare", "RW": True}]
        return (found if self.volume else []) + (bare if self.nameless else [])


@dataclass
class Clock:
    """Stands in for the module ``time``: waiting costs nothing."""

    at: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return EPOCH + self.at

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class InTurn(AbstractContextManager["InTurn"]):
    """Stands in for a pool of threads: one after the other, in the order they were given."""

    def __init__(self, _size: int) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return iter([work(item) for item in list(items)])


@dataclass
class Host:
    """The containers of one stack, and what was done to them.

    ``files`` are the definitions in each release's Compose file: what `Compose` makes. ``refuses``
    maps a command's words to what the Engine, Compose or the edge answers instead of doing it.
    """

    layout: Layout
    containers: dict[str, Container]
    files: dict[str, dict[str, Container]] = field(default_factory=dict)
    replicas: dict[str, dict[str, int]] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=lambda: {NETWORK: "n1"})
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    _last: float = 0.0
    _made: dict[str, int] = field(default_factory=dict)

    def there(self) -> dict[str, str]:
        """What is left: the state of each container."""
        return {key: item.now(self.clock.time())[0] for key, item in self.containers.items()}

    def _say(self, words: str) -> str:
        """Write a command down; what it is refused with, or an empty text."""
        waited = round(self.clock.at - self._last)
        if waited:
            self.said.append(f"{waited} s")
        self._last = self.clock.at
        self.said.append(words)
        self.history.append(words)
        return self.refuses.get(words, "")

    def told(self) -> list[str]:
        """The commands since the last time, with the seconds to now."""
        waited = round(self.clock.at - self._last)
        told, self._last = [*self.said, *([f"{waited} s"] if waited else [])], self.clock.at
        self.said.clear()
        return told

    # The Engine

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, **_: Any
    ) -> tuple[int, bytes]:
        """What `Engine.request` answers."""
        if method == "GET":
            found = self._read(path)
            return (404, b"{}") if found is None else (200, json.dumps(found).encode())
        sent = f"{method} {path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        words = next(
            (said.format(*m.groups()) for form, said in WORDS if (m := re.fullmatch(form, sent))),
            sent,
        )
        if why := self._say(words):
            return 500, json.dumps({"message": why}).encode()
        return self._change(words)

    def _read(self, path: str) -> Any:
        if path == "/containers/json":
            return [self._listed(item) for item in self.containers.values()]
        if path == "/networks":
            return [
                {"Name": name, "Id": key, "Driver": "bridge"} for name, key in self.networks.items()
            ]
        if path == "/volumes":
            return {"Volumes": []}
        if found := re.fullmatch(r"/volumes/(\S+)", path):
            return {"Name": found[1], "Labels": None}
        if found := re.fullmatch(r"/containers/(\S+)/json", path):
            item = self.containers.get(found[1])
            return None if item is None else self._inspected(item)
        if path.endswith("/changes"):
            return []
        return {"/info": {}, "/images/json": []}.get(path)

    def _change(self, words: str) -> tuple[int, bytes]:
        verb, _, target = words.partition(" ")
        item = self.containers.get(target)
        if verb in ("stop", "remove", "restart", "unpause", "start") and item is None:
            if target.startswith("network "):
                self.networks = {k: v for k, v in self.networks.items() if v != target.split()[1]}
                return 204, b""
            if target.startswith("volume "):
                used = any(
                    mount["Name"] == target.split()[1]
                    for i in self.containers.values()
                    for mount in i.mounts
                )
                return (409, b'{"message": "volume is in use"}') if used else (204, b"")
            return 404, b"{}"
        if item and verb == "stop":
            item.state = "exited"
        elif item and verb == "remove":
            del self.containers[target]
        elif item and verb in ("restart", "unpause", "start"):
            self._start(item)
        elif verb == "create":
            self.containers[target] = Container(target, state="created")
            return 201, json.dumps({"Id": target}).encode()
        return 204, b""

    def _listed(self, item: Container) -> dict[str, Any]:
        state, health, _ = item.now(self.clock.time())
        said = f"Up ({health})" if health else "Exited (0)" if item.fate == DONE else ""
        network = {"NetworkID": self.networks.get(item.network, "gone"), "IPAddress": "10.9.0.2"}
        return {
            "Id": item.id,
            "Names": [f"/{item.id}"],
            "Labels": self._labels(item),
            "State": state,
            "Status": said,
            "Created": item.created,
            "Mounts": item.mounts,
            "Ports": [{"PublicPort": port, "Type": "tcp"} for port in item.ports],
            "NetworkSettings": {"Networks": {item.network: network}},
            "HostConfig": {"NetworkMode": item.network},
        }

    def _inspected(self, item: Container) -> dict[str, Any]:
        state, health, restarts = item.now(self.clock.time())
        began = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(item.started))
        return {
            "Id": item.id,
            "Name": f"/{item.id}",
            "Image": "sha256:1",
            "Config": {"Image": "r.test/web", "StopTimeout": 1, "Labels": self._labels(item)},
            "State": {
                "Status": state,
                "StartedAt": f"{began}.{item.started % 1:.6f}".replace(".0.", ".") + "Z",
                "ExitCode": 3 if item.fate == EXITS else 0,
                **({"Health": {"Status": health}} if health else {}),
            },
            "RestartCount": restarts,
            "HostConfig": {"NetworkMode": item.borrows and f"container:{item.borrows}"},
            "Mounts": item.mounts,
            "NetworkSettings": {"Networks": {}},
        }

    def _labels(self, item: Container) -> dict[str, str]:
        found = {labels.PROJECT: STACK, labels.SERVICE: item.service, labels.CONFIG_HASH: "c"}
        return {**found, labels.HASH_LABEL: item.made} if item.made else found

    def _start(self, item: Container) -> None:
        item.state, item.started = "running", self.clock.time()
        for other in self.containers.values():
            both = other is not item and other.service != item.service
            if both and other.volume and other.volume == item.volume and other.state == "running":
                self.said.append(f"!! {item.id} and {other.id} write one volume")

    # Compose

    def compose(self, argv: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """What `compose.run` answers for ``up``."""
        said = " ".join(argv)
        form = re.fullmatch(
            r"docker-compose --project-name shop --file \S+/releases/(\S+)/compose.yaml"
            r" up --detach --no-deps --no-build (.+)",
            said,
        )
        assert form, said
        release, rest = form.groups()
        words = rest.split()
        why = self._say(f"compose {release}: {rest.removeprefix('--pull never ')}")
        if why:
            return subprocess.CompletedProcess(argv, 1, "", why)
        scale = {}
        names: list[str] = []
        for before, word in zip(["", *words], words, strict=False):
            if before == "--scale":
                scale[word.partition("=")[0]] = int(word.partition("=")[2])
            elif not word.startswith("--") and before not in ("--pull", "--scale"):
                names.append(word)
        problems = [
            why
            for name in names
            if (
                why := self._up(
                    self.files[release][name], scale.get(name, self.replicas[release][name]), words
                )
            )
        ]
        return subprocess.CompletedProcess(argv, int(bool(problems)), "", "\n".join(problems))

    def _up(self, wanted: Container, scale: int, words: list[str]) -> str:
        there = [item for item in self.containers.values() if item.service == wanted.service]
        problem = ""
        for item in there:
            again = item.made != wanted.made and "--no-recreate" not in words
            if again or "--force-recreate" in words:
                del self.containers[item.id]
                problem = self._make(wanted, nameless=item.nameless) or problem
            elif item.state != "running":
                self._start(item)
        for _ in range(scale - len(there)):
            problem = self._make(wanted, nameless=wanted.nameless) or problem
        return problem

    def _make(self, wanted: Container, *, nameless: bool) -> str:
        number = self._made[wanted.service] = self._made.get(wanted.service, 0) + 1
        item = replace(wanted, id=f"{wanted.service}+{number}", state="created", nameless=nameless)
        fates = wanted.fate.split(", ")
        item.fate = fates[min(number, len(fates)) - 1]
        self.networks.setdefault(item.network, f"n{self._remade()}")
        item.created = sum(self._made.values())
        self.containers[item.id] = item
        if item.fate == NEVER:
            return f"Error response from daemon: {item.id} does not start"
        self._start(item)
        return ""

    def _remade(self) -> int:
        return 1 + sum(said.startswith("remove network") for said in self.history)

    # The edge

    def assign(
        self,
        layout: Layout,
        routes: Sequence[Mapping[str, Any]],
        groups: Mapping[str, Sequence[Mapping[str, Any]]],
        via: Mapping[str, str] | None = None,
        *,
        strict: bool = False,
    ) -> None:
        """What `edge.assign` does."""
        told = []
        for name, parts in sorted(groups.items()):
            share = [
                ", ".join(part["containers"]) + (f" {part['weight']}%" if len(parts) > 1 else "")
                for part in parts
            ]
            told.append(f"{name}: {', '.join(share)}")
        if why := self._say(f"edge {'; '.join(told)}"):
            raise MaestroError(why)
        document = {"routes": list(routes), "groups": dict(groups), "via": dict(via or {})}
        write_atomically(layout.home / "traffic.json", json.dumps(document), 0o644)

    def drain(self, _layout: Layout, targets: Iterable[tuple[str, int]], limit: float) -> bool:
        """What `edge.drain` answers."""
        self._say(f"drain {', '.join(container for container, _ in targets)} {limit:.0f} s")
        return True

    def withdraw(self, layout: Layout) -> None:
        """What `edge.withdraw` does."""
        if edge.current(layout):
            self._say("edge none")
        (layout.home / "traffic.json").unlink(missing_ok=True)


@contextmanager
def instead(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Let everything in `maestro.host` meet this host."""
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "request", lambda _, *args, **more: host.request(*args, **more))
        patch.setattr(Engine, "wait_ready", lambda *_: None)
        patch.setattr(
            stirring, "of", lambda *_: nullcontext(lambda _, deaf: host.clock.sleep(deaf))
        )
        patch.setattr(compose, "program", lambda: ["docker-compose"])
        patch.setattr(compose, "run", host.compose)
        for name in ("assign", "drain", "withdraw"):
            patch.setattr(edge, name, getattr(host, name))
        patch.setattr(address, "_connect", lambda *_: "")
        patch.setattr(address, "_source", lambda _: "10.9.0.1")
        patch.setattr(probe, "_status", lambda *_: "")
        for name, module in list(sys.modules.items()):
            if name.startswith("maestro.host.") and name != "maestro.host.lease":
                if getattr(module, "time", None) is time:
                    patch.setattr(module, "time", host.clock)
                if hasattr(module, "ThreadPoolExecutor"):
                    patch.setattr(module, "ThreadPoolExecutor", InTurn)
        yield host


def layout(directory: Path) -> Layout:
    """The stack's directories."""
    return Layout(directory / "maestro", STACK)

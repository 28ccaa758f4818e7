"""Cases of a roll: facts in, exact commands out.

A release ``r1`` serves, by containers called a, b and so on, and the host is brought to ``r2``; new
containers are called web+1, web+2. Where that fails, ``r1`` is put back, as a deploy and the host's
own switch do it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
import recorded_host
from recorded_host import (
    Container,
    Host,
)

from maestro import records
from maestro.errors import MaestroError
from maestro.host import put_back, release, roll
from maestro.host.aim import Aim
from maestro.host.layout import Layout, write_atomically
from maestro.host.rules import START_FIRST, STOP_FIRST
from maestro.host.traffic import everything

BESIDE = {"order": START_FIRST}
ONE_BY_ONE = {"order": STOP_FIRST, "parallelism": 1}
CANARY = {"canary": {"weight": 10, "duration": 30}}
PORT = {"kind": "port", "name": "80/tcp", "writes": True}
DATA = {"kind": "volume", "name": "data", "writes": True}
Facts = dict[str, Any]


def facts(made: str = "new", replicas: int = 1, **more: Any) -> Facts:
    """A service as a manifest records it; ``rules`` are those of an update and of a rollback."""
    rules = more.pop("rules", {})
    known = {"hash": made, "replicas": replicas, "image": "r.test/web@sha256:1", "holds": []}
    return {**known, "exchange": {"update": rules, "rollback": rules}, **more}


def old(of: Mapping[str, Facts]) -> dict[str, Facts]:
    """The same services in the release before."""
    return {name: {**found, "hash": "old"} for name, found in of.items()}


def routed(**more: Any) -> list[dict[str, Any]]:
    """The route of the service web."""
    found = {"service": "web", "port": 8000, "drain": 10, "hosts": ["shop.test"], "path": "/"}
    return [{**found, **more}]


A, B = Container("a"), Container("b")
NOTHING_SERVED: dict[str, Facts] = {}


@dataclass
class Case:
    """``there`` runs, ``wanted`` is the release to come, ``before`` the one that serves.

    ``up`` are the commands of the roll (``one > the next``), ``back`` those of the way back where
    it ``fails``; in the end these containers are ``left``. ``made`` tells of a service's new
    containers how they are; ``refuses`` what is not done, and why not.
    """

    name: str
    there: list[Container]
    wanted: dict[str, Facts]
    up: str = ""
    left: str = ""
    fails: str = ""
    back: str = ""
    levels: list[list[str]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=routed)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    before: dict[str, Facts] | None = None
    roll: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def outcome(self) -> dict[str, Any]:
        """What `Rolling.outcome` has to be."""
        found: dict[str, Any] = {"up": split(self.up), "fails": self.fails}
        if self.fails:
            found |= {"back": split(self.back), "staged": False}
        return {**found, "left": self.left}


def web(**more: Any) -> dict[str, Facts]:
    """A release whose only service is web."""
    return {"web": facts(**more)}


@dataclass
class Rolling:
    """A host with the release that serves, and the one to come staged beside it."""

    case: Case
    layout: Layout
    host: Host
    failed: str = ""

    @classmethod
    def of(cls, case: Case, directory: Path) -> Rolling:
        """The host before the roll."""
        layout = recorded_host.layout(directory)
        before = old(case.wanted) if case.before is None else case.before
        releases = {"r1": before, "r2": case.wanted}
        files: dict[str, dict[str, Container]] = {}
        for name, services in releases.items():
            write_atomically(layout.compose_file(name), "", 0o600)
            files[name] = {
                service: Container("", service, made=str(found["hash"]))
                for service, found in services.items()
            }
        for service, more in case.made.items():
            files["r2"][service] = replace(files["r2"][service], **more)
        if before:
            order = [[name for name in level if name in before] for level in cls.levels(case)]
            manifest = {"services": before, "order": order, "routes": case.routes}
            release.commit(layout, "r1", cast("records.Manifest", manifest))
        replicas = {
            name: {service: int(found["replicas"]) for service, found in services.items()}
            for name, services in releases.items()
        }
        there = {item.id: replace(item) for item in case.there}
        return cls(case, layout, Host(layout, there, files, replicas, dict(case.refuses)))

    @staticmethod
    def levels(case: Case) -> list[list[str]]:
        """The services of both releases in the order they start."""
        return case.levels or [sorted({*case.wanted, *(case.before or {})})]

    def serve(self) -> None:
        """Give the containers there are the requests."""
        running = [item.id for item in self.case.there if item.service == "web"]
        if running and self.case.routes:
            self.way().traffic.to({"web": everything(running)})
            self.host.said.clear()

    def aim(self) -> Aim:
        """The release to come."""
        services = cast("dict[str, records.ServiceFacts]", self.case.wanted)
        return Aim("r2", services, cast("list[records.Route]", self.case.routes))

    def way(self) -> roll.Roll:
        """A roll to the release to come."""
        return roll.Roll(self.layout, self.aim(), 5, **self.case.roll)

    def up(self) -> list[str]:
        """The commands of the roll."""
        levels = [[n for n in level if n in self.case.wanted] for level in self.levels(self.case)]
        try:
            roll.up(self.way(), levels, **self.case.options)
        except MaestroError as error:
            self.failed = error.what.splitlines()[0]
        return self.told()

    def back(self) -> list[str]:
        """The commands that put the release back."""
        self.host.refuses.clear()
        put_back.put_back(self.layout, "r2", 5)
        return self.told()

    def told(self) -> list[str]:
        """The commands since the last time."""
        return self.host.told()

    def left(self) -> str:
        """The containers there are, with their states."""
        return ", ".join(f"{key} {state}" for key, state in self.host.there().items())

    @classmethod
    @contextmanager
    def on(cls, case: Case, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolling]:
        """A host as the case says, instead of this one."""
        found = cls.of(case, directory)
        with recorded_host.instead(found.host, monkeypatch):
            found.serve()
            yield found

    def outcome(self) -> dict[str, Any]:
        """What is said and left by the roll, and by the way back from one that fails."""
        found: dict[str, Any] = {"up": self.up(), "fails": self.failed}
        if self.failed:
            found["back"] = self.back()
            found["staged"] = self.layout.release("r2").exists()
        return {**found, "left": self.left()}


def split(commands: str) -> list[str]:
    """``one > the next`` as a list."""
    return commands.split(" > ") if commands else []

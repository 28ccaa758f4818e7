"""Sample stacks of the usual shapes: tests/gallery/stacks, each with what `case.yml` says of it.

All of them run the one image of tests/gallery/image; the version, which they see as VERSION,
decides what they do: ``v1`` and ``v2`` are good, ``broken`` fails as ``breaks`` says. ``edge``,
``port``, ``exec`` or ``shell`` is a question whose answer names the version that serves. A service
that starts first keeps its containers when a version fails, unless that comes after their exchange
(``exchanged``). ``prepare`` and ``clean`` are commands for the host, before a stack and after it.
``users: host`` is for what an Engine with user namespaces refuses: it lives on the first host.
``long`` says what else in a short run fails where this stack would: it lives in a long run alone.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from counter import registry_password, write_secret
from direct import Direct, NotPutBack
from e2e import lab

from maestro.errors import MaestroError
from maestro.host.rules import START_FIRST
from maestro.plan import records
from maestro.stack import files

STACKS = lab.PROJECT / "tests/gallery/stacks"
NAMES = sorted(path.parent.name for path in STACKS.glob("*/case.yml"))
PLAYED = " by playbooks"
Answer = TypeVar("Answer")
PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"


@dataclass(frozen=True)
class Sample:
    """One stack and how it is asked who serves."""

    name: str
    case: dict[str, Any] = field(hash=False)

    @classmethod
    def of(cls, name: str) -> Sample:
        """The stack of this name."""
        return cls(name, yaml.safe_load((STACKS / name / "case.yml").read_text()))

    @property
    def secret_names(self) -> list[str]:
        """The secrets its services read."""
        return files.load(STACKS, self.name, "staging", {}).secret_names

    @property
    def question(self) -> str:
        """A command for the host."""
        case = self.case
        if "edge" in case:
            host, _, path = case["edge"].partition("/")
            return f"curl -sSk --max-time 15 --resolve {host}:443:127.0.0.1 https://{host}/{path}"
        if "port" in case:
            return f"curl -sS --max-time 15 http://127.0.0.1:{case['port']}/"
        if "exec" in case:
            service, command = case["exec"]
            found = (
                f"$(docker ps -q --filter label={PROJECT}={self.name} "
                f"--filter label={SERVICE}={service} | head -n 1)"
            )
            return f"docker exec {found} sh -c {shlex.quote(command)}"
        return str(case["shell"])


def chosen(hosts: Sequence[str], *, long: bool) -> list[tuple[str, str]]:
    """Which lives are lived on which host: in a short run each stack on one of them, in turn.

    By the playbooks they are lived in a long run alone: the stacks counter, relay and Jessy go
    through all parts by the playbooks in every run.
    """
    cases = {name: Sample.of(name).case for name in NAMES}
    on = {name: hosts[: 1 if cases[name].get("users") == "host" else None] for name in NAMES}
    if long:
        ways = [(name, way) for name in NAMES for way in ("", PLAYED)]
        return [(name + way, host) for name, way in ways for host in on[name]]
    return [
        (name, on[name][number % len(on[name])])
        for number, name in enumerate(NAMES)
        if "long" not in cases[name]
    ]


def inventory() -> str:
    """Where the hosts of the tests stand; see gallery_hosts for the variable."""
    ours = "MAESTRO_TEST_HOST" not in os.environ
    return "tests/gallery/inventory.yml" if ours else ".cache/dev/hosts.yml"


@dataclass
class Played(Direct):
    """Deploys, goes back and rotates by the playbooks, as an operator does."""

    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="samples-")))

    def deploy(self, name: str, version: str = "v1") -> bool:
        """Run deploy.yml."""
        return self._play(name, "deploy.yml", "-e", f"version={version}")

    def rollback(self, name: str, to: str = "") -> bool:
        """Run playbooks/rollback.yml."""
        return self._play(name, "playbooks/rollback.yml", *(["-e", f"to={to}"] if to else []))

    def rotate(self, name: str, **values: str) -> bool:
        """Run playbooks/rotate_secrets.yml."""
        self.values |= values
        return self._play(name, "playbooks/rotate_secrets.yml", "-e", f"secret={','.join(values)}")

    def _play(self, name: str, playbook: str, *words: str) -> bool:
        write_secret(self.home / self.environment / "common/registry_password", registry_password())
        for secret, value in self.values.items():
            write_secret(self.home / self.environment / name / secret, value)
        said = {
            "maestro_stacks_dir": str(self.directory),
            "maestro_secrets": {"source": "directory", "path": str(self.home)},
        }
        done = lab.playbook(
            *("-i", inventory(), playbook, "-l", self.host, "-e", f"stack={name}"),
            *("-e", json.dumps(said), *words),
        )
        if done.rc != 0:
            raise MaestroError(done.out[-4000:])
        return bool(done.recap[self.host]["changed"])


@dataclass
class Life:
    """What a stack goes through on one host; ``seconds`` says how long each part took."""

    sample: Sample
    direct: Direct
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, life: str, host: str) -> Life:
        """The life of a stack that is named, ``by playbooks`` if so said."""
        kind = Played if PLAYED in life else Direct
        sample = Sample.of(life.removesuffix(PLAYED))
        values = {name: secrets.token_hex(8) for name in sample.secret_names}
        return cls(sample, kind(host, STACKS, timeout=120, values=values))

    @property
    def host(self) -> str:
        """The host it is lived on."""
        return self.direct.host

    def go(self) -> None:
        """Deploy, deploy again, update, fail, go back, rotate; an error where one is wrong."""
        self.direct.remove(self.sample.name)
        lab.ssh(self.host, self.sample.case.get("prepare", "true"))
        try:
            self._parts()
        finally:
            self.direct.stepper.close()
            self.direct.remove(self.sample.name)
            lab.ssh(self.host, self.sample.case.get("clean", "true"))

    def _parts(self) -> None:
        name, direct = self.sample.name, self.direct
        assert self._timed("first", lambda: direct.deploy(name, "v1"))
        self._serves("v1", "the first deploy")
        before = self._running()
        assert not self._timed("again", lambda: direct.deploy(name, "v1")), "deployed twice"
        assert self._timed("update", lambda: direct.deploy(name, "v2"))
        self._serves("v2", "the update")
        assert self._running() != before
        before = self._running() & self._untouched()
        self._timed("failure", self._fails)
        self._serves("v2", "the failed deploy")
        assert before <= self._running(), "the failed deploy exchanged what it need not touch"
        assert self._timed("rollback", lambda: direct.rollback(name))
        self._serves("v1", "the rollback")
        if direct.values:
            self._timed("rotation", self._rotates)
            self._serves("v1", "the rotation")
        assert not direct.deploy(name, "v1"), "a deploy after all changed something"

    def _untouched(self) -> set[str]:
        """Containers that still run when the broken version went in as far as it can."""
        (plan,) = self.direct.decide(self.sample.name, "broken").plans
        exchanged = {
            step.service
            for step in plan.steps
            if step.action == records.REPLACE
            and (step.order != START_FIRST or self.sample.case.get("exchanged"))
        }
        return {
            str(container["Id"])
            for container in self.direct.containers(self.sample.name)
            if container["Config"]["Labels"][SERVICE] not in exchanged
        }

    def _fails(self) -> None:
        try:
            self.direct.deploy(self.sample.name, "broken")
        except NotPutBack:
            raise
        except MaestroError:
            return
        raise AssertionError(f"the broken version went in: {self.sample.case['breaks']}")

    def _rotates(self) -> None:
        new = {name: secrets.token_hex(8) for name in self.direct.values}
        assert self.direct.rotate(self.sample.name, **new)
        loaded = files.load(STACKS, self.sample.name, "staging", {})
        for container in self.direct.containers(self.sample.name):
            service = container["Config"]["Labels"][SERVICE]
            for entry in loaded.services.get(service, {}).get("secrets") or []:
                source = entry["source"] if isinstance(entry, dict) else entry
                target = (entry.get("target") if isinstance(entry, dict) else None) or source
                path = str(Path("/run/secrets") / target)
                found = lab.ssh(self.host, f"docker exec {container['Id']} cat {path}")
                assert found == new[source], f"{service} still reads the old {source}"

    def _serves(self, version: str, after: str) -> None:
        found = lab.ssh(self.host, self.sample.question, check=False)
        assert version in found, f"after {after} {version} should serve:\n{found}"

    def _running(self) -> set[str]:
        return {
            str(container["Id"])
            for container in self.direct.containers(self.sample.name)
            if container["State"]["Running"]
        }

    def _timed(self, part: str, work: Callable[[], Answer]) -> Answer:
        began = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[part] = time.monotonic() - began


def table(lives: Mapping[str, Life]) -> str:
    """How long each part of each life took."""
    return "\n".join(
        f"{name:30} {sum(life.seconds.values()):6.1f}  "
        + ", ".join(f"{part} {seconds:.1f}" for part, seconds in life.seconds.items())
        for name, life in sorted(lives.items())
    )

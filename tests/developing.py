"""A developer's copy of Jessy on this machine's own Engine: up, edited, looked at.

Its project has a fixed name, so that the caches of an earlier run are found again; what holds data
is removed at the end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e import lab

JESSY = lab.PROJECT / "docker/jessy"
PROJECT = "jessy-edited"


def free(port: int, other: int) -> int:
    """A port, unless somebody else on this machine has it: a developer's own stack."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return other
    return port


# Those of everybody who sets none, where they can be had; the debuggers' are moved.
PORTS = {
    "JESSY_PORT": free(8080, 18180),
    "API_PORT": free(3000, 13100),
    "JESSY_DEBUG_PORT": 11334,
    "API_DEBUG_PORT": 12445,
}
FILES = "compose.yaml:compose.development.yaml:compose.beside.yaml"


def docker(*words: str, check: bool = True) -> str:
    """What a command of the Engine wrote, stderr included."""
    done = subprocess.run(
        ["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert not check or done.returncode == 0, f"docker {words}: {done.stdout[-3000:]}"
    return done.stdout


@dataclass
class Source:
    """One place in a source file whose text the program answers with, at a path of its port."""

    path: Path
    before: str  # what stands there in the checkout, with the text in place of %s
    original: str
    url: str

    def text(self, value: str) -> str:
        """The file with another value."""
        whole = self.original
        assert whole.count(self.before) == 1
        return whole.replace(self.before, self.before.partition(":")[0] + f': "{value}",')

    def save(self, value: str, how: int = 0) -> None:
        """Save as editors do: in place, by renaming, by renaming with an old time, in two steps."""
        text = self.text(value)
        if how % 4 == 0:
            self.path.write_text(text)
        elif how % 4 == 3:
            with self.path.open("w") as file:
                file.write(text[: len(text) // 2])
                file.flush()
                time.sleep(0.03)
                file.write(text[len(text) // 2 :])
        else:
            beside = self.path.with_name(f".{self.path.name}.new")
            beside.write_text(text)
            if how % 4 == 2:
                os.utime(beside, (1_700_000_000, 1_700_000_000))
            beside.rename(self.path)

    def served(self) -> str:
        """What the program says now; nothing while none answers well."""
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:
                return str(json.load(answer)["service"])
        except OSError:
            return ""

    def wait_for(self, value: str, seconds: float = 240) -> float:
        """Seconds until the value is served; the tests that measure say what is too long."""
        started = time.monotonic()
        while (found := self.served()) != value:
            assert time.monotonic() - started < seconds, f"{value} is not served, but {found}"
            time.sleep(0.05)
        return time.monotonic() - started


@dataclass
class Developing:
    """The copy, and its commands: of this user, or of an ordinary one who may use the Engine."""

    home: Path
    project: str = PROJECT
    user: int = 0

    @property
    def rust(self) -> Source:
        return self._source("core/src/http.rs", '"service": SERVICE,', "JESSY_PORT", "/health")

    @property
    def go(self) -> Source:
        path = "api/internal/server/handlers.go"
        anchor = '"service":   logging.Service,'
        return self._source(path, anchor, "API_PORT", "/api/health")

    def _source(self, path: str, anchor: str, port: str, url: str) -> Source:
        original = (JESSY / path).read_text()
        return Source(self.home / path, anchor, original, f"http://127.0.0.1:{PORTS[port]}{url}")

    def make(self, *words: str) -> lab.Run:
        """`make` for this copy, as a developer types it."""
        return lab.run(*self._who(), "make", *words, f"JESSY={self.home}", timeout=3000)

    def compose(self, *words: str) -> lab.Run:
        return lab.run(*self._who(), "scripts/stack", str(self.home), *words, timeout=3000)

    def _who(self) -> list[str]:
        if not self.user:
            return []
        engine = Path("/var/run/docker.sock").stat().st_gid
        ids = (f"--reuid={self.user}", f"--regid={self.user}", f"--groups={engine}")
        return ["env", f"HOME={self.home.parent}", "setpriv", *ids]

    def model(self, *words: str) -> dict[str, Any]:
        """The stack as Compose reads it, with options of its own before `config`."""
        out = self.compose(*words, "config", "--format", "json").ok().out
        found: dict[str, Any] = json.loads(out[out.index("{") :])
        return found

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).ok().out.split()[-1]

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def remove(self) -> None:
        """Containers and data; the caches stay."""
        self.compose("down", "--remove-orphans", "--timeout", "2")
        docker("volume", "rm", f"{self.project}_db_data", f"{self.project}-mmap-data", check=False)


def copy(home: Path, project: str = PROJECT, user: int = 0) -> Developing:
    """A copy of the stack as git would give it, with settings that keep it beside others."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."],
        cwd=JESSY, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, names):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(JESSY / name, home / name)
    for path in (home.parent, home, *home.rglob("*")) if user else ():
        os.chown(path, user, user)
    subprocess.run([home / "development/setup"], check=True)
    settings = home / ".env"
    lines = [line for line in settings.read_text().splitlines() if "COMPOSE_FILE=" not in line]
    lines = [line for line in lines if line.partition("=")[0] not in PORTS]
    lines += [f"COMPOSE_FILE={FILES}", f"COMPOSE_PROJECT_NAME={project}"]
    settings.write_text("\n".join([*lines, *(f"{k}={v}" for k, v in PORTS.items())]) + "\n")
    return Developing(home, project, user)


def mark() -> str:
    """A text nobody served before."""
    return f"edit-{secrets.token_hex(4)}"


def eventually(found: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until something holds."""
    started = time.monotonic()
    while not found():
        assert time.monotonic() - started < seconds
        time.sleep(0.2)

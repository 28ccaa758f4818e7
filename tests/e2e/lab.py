"""How the end-to-end tests drive the project: as a user does, by its commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
STAGING = ("staging-1", "staging-2")
PRODUCTION = ("production-1", "production-2")
ENVIRONMENTS = {"staging": STAGING, "production": PRODUCTION}
# What ansible.cfg names, and the same without an approval in production: most tests of production
# are about something else. Those that are about approvals take the first.
INVENTORY = "inventories/staging,inventories/production"
UNAPPROVED = {"ANSIBLE_INVENTORY": f"{INVENTORY},tests/inventories/unapproved.yml"}
APPROVED = {"ANSIBLE_INVENTORY": INVENTORY}


@dataclass(frozen=True)
class Run:
    """One command: how it ended, what it said, how long it took."""

    argv: list[str]
    rc: int
    out: str
    seconds: float
    recap: dict[str, dict[str, int]] = field(default_factory=dict)

    def ok(self) -> Run:
        """This run, which must have ended well."""
        assert self.rc == 0, f"{' '.join(self.argv)} ended with {self.rc}:\n{self.out[-6000:]}"
        return self

    def failed(self, *words: str) -> Run:
        """This run, which must have failed and said all of ``words``."""
        assert self.rc != 0, f"{' '.join(self.argv)} did not fail:\n{self.out[-3000:]}"
        missing = [word for word in words if word not in self.out]
        assert not missing, f"{missing} not in:\n{self.out[-6000:]}"
        return self

    def changed(self, *hosts: str) -> list[int]:
        """How many tasks reported a change on each host."""
        return [self.recap[host]["changed"] for host in hosts]


def settings() -> dict[str, Any]:
    """What this checkout remembers of its lab: its name and its hosts' ports on this machine."""
    text = (PROJECT / ".lab/settings.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


# Whether what a test starts counts for the coverage: where only a real run of Ansible goes.
measured = False


def surroundings() -> dict[str, str]:
    """The environment of a user: without what measures the tests and what `make test` was told."""
    ours = ("MAKE", "MFLAGS", *(() if measured else ("COVERAGE_",)))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # What is asserted about a message is about its words, and not where its lines end.
    return {**kept, "COLUMNS": "1000"}


def run(*argv: str, env: dict[str, str] | None = None, timeout: float = 900) -> Run:
    """Run a command in the project, without standard input."""
    started = time.monotonic()
    done = subprocess.run(
        argv,
        cwd=PROJECT,
        env={**surroundings(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return ended(argv, done.returncode, done.stdout, time.monotonic() - started)


def ended(argv: Sequence[str], rc: int, out: str, seconds: float) -> Run:
    """A command that ended, with what its play counted."""
    recap = {
        match[1]: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", match[2])}
        for match in re.finditer(r"^(\S+)\s+: (ok=\d+.*)$", out, re.MULTILINE)
    }
    return Run(list(argv), rc, out, seconds, recap)


class Playing:
    """A playbook that runs beside the test."""

    def __init__(self, *arguments: str) -> None:
        self._argv = [".venv/bin/ansible-playbook", *arguments]
        self._started = time.monotonic()
        self._said: list[str] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            self._argv,
            cwd=PROJECT,
            # Tasks are named when they begin, and not when they end.
            env={**surroundings(), **UNAPPROVED, "ANSIBLE_STDOUT_CALLBACK": "default"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._more:
                self._said.append(line)
                self._more.notify_all()
        with self._more:
            self._said.append("")
            self._more.notify_all()

    @property
    def out(self) -> str:
        """All it said so far."""
        return "".join(self._said)

    def until(self, task: str, timeout: float = 300) -> Playing:
        """Wait until the play comes to a task, which must be within ``timeout`` seconds."""
        line = re.compile(rf"^TASK \[(\S+ : )?{re.escape(task)}\]", re.MULTILINE)
        with self._more:
            self._more.wait_for(
                lambda: line.search(self.out) or self._said[-1:] == [""], timeout=timeout
            )
        assert line.search(self.out), f"the play never came to {task!r}:\n{self.out[-6000:]}"
        return self

    def kill(self) -> None:
        """End the playbook's own process at once, if it runs; what it began on hosts goes on."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """The playbook's own process stands still meanwhile, as after Ctrl-Z."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self, timeout: float = 300) -> Run:
        """Wait for its end."""
        self._process.wait(timeout)
        self._reader.join(10)
        return ended(
            self._argv, self._process.returncode, self.out, time.monotonic() - self._started
        )


def playbook(*arguments: str, env: dict[str, str] | None = None) -> Run:
    """Run ansible-playbook as a user types it; production asks for no approval."""
    return run(".venv/bin/ansible-playbook", *arguments, env={**UNAPPROVED, **(env or {})})


# What provisioning without a rule of approval would have said.
FORGET = """import json, pathlib
path = pathlib.Path("/etc/maestro/host.json")
if path.exists():
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "approval": False, "signers": [], "own": []}))
    path.with_name("allowed_signers").write_text("")
"""


def forget(*hosts: str) -> None:
    """Let hosts ask for no approval any more; root may do that."""
    for host in hosts:
        ssh(host, f"python3 -c {shlex.quote(FORGET)}", check=False)


# One connection per host for the many short commands of the tests; one that is dead is noticed.
SHARED = (
    *("-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "ServerAliveInterval=2"),
    *("-o", f"ControlPath={tempfile.gettempdir()}/maestro-tests-{os.getpid()}-%C"),
)


def archive(*paths: str) -> bytes:
    """The working tree's files below these paths, as a tar archive."""
    files = f"git ls-files -z --cached --others --exclude-standard {' '.join(paths)}"
    return subprocess.run(
        ["bash", "-c", f"{files} | tar -c --null --files-from=-"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout


def ssh(host: str, command: str, *, check: bool = True) -> str:
    """Run a shell command on a lab host and return what it wrote."""
    done = run("ssh", "-F", ".lab/ssh_config", *SHARED, host, command)
    if check:
        done.ok()
    return done.out


def containers(host: str, stack: str) -> dict[str, str]:
    """Container id of each service of a stack on a host."""
    listing = ssh(
        host,
        f"docker ps -a --no-trunc --filter label=com.docker.compose.project={stack} "
        "--format '{{.Label \"com.docker.compose.service\"}} {{.ID}}'",
    )
    return dict(line.split() for line in listing.splitlines())


def inspect(host: str, container: str) -> dict[str, Any]:
    """`docker inspect` of one container."""
    found: list[dict[str, Any]] = json.loads(ssh(host, f"docker inspect {container}"))
    return found[0]


def manifest(host: str, stack: str) -> dict[str, Any]:
    """release.json of the running release."""
    found: dict[str, Any] = json.loads(ssh(host, f"cat /opt/maestro/{stack}/current/release.json"))
    return found


def footprint(host: str, stack: str) -> str:
    """Everything a deploy could change: files with owner, mode and content, containers, images."""
    return ssh(
        host,
        f"cd /opt/maestro && find . -path './{stack}*' -printf '%p %M %u %T@ %l\\n' | sort;"
        f"find /opt/maestro/{stack} -type f -exec sha256sum {{}} + 2>/dev/null | sort;"
        f"docker ps -a --no-trunc --filter label=com.docker.compose.project={stack} "
        "--format '{{.ID}} {{.Names}} {{.State}}' | sort;"
        "docker images --no-trunc --digests -q | sort; docker network ls -q | sort;"
        "docker volume ls -q | sort; ls -A /run | grep ^maestro- || true",
    )

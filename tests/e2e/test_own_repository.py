"""From a directory with a Compose file to a verified deploy, by the wheel alone.

The wheel is built here and installed in an environment of its own: nothing of this checkout is in
its path. A user types what the test types, and edits two files. Long: on hosts that have nothing
yet, with newer versions of Ansible.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from e2e import lab
from e2e.lab import PROJECT

HOSTS = tuple(os.environ.get("MAESTRO_TEST_HOST", ",".join(lab.STAGING)).split(","))
BARE = ("bare-1", "bare-2")
STACK = "own-shop"
COMPOSE = """\
services:
  web:
    image: registry.test:5000/edge:3.7.15
    command: ["--ping=true"]
    user: "65534:65534"
    stop_grace_period: 1s
    healthcheck:
      test: [CMD, /traefik, healthcheck, "--ping"]
      interval: 1s
"""
UV = PROJECT / ".venv/bin/uv"


class Own:
    """A repository of one's own, with an environment that has Maestro from its wheel.

    ``versions`` are the arguments for pip that choose the versions of what Maestro needs.
    """

    def __init__(self, home: Path, python: str, *versions: str) -> None:
        self.root = home / STACK
        self.root.mkdir()
        self.bin = home / "venv/bin"
        self.edited: dict[str, int] = {}
        wheels = home / "wheels"
        build = ("build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", str(wheels))
        self._uv(*build, "--python", str(PROJECT / ".venv/bin/python"), str(PROJECT))
        (wheel,) = wheels.glob("maestro_stacks-*.whl")
        self._uv("venv", "--quiet", "--python", python, str(self.bin.parent))
        target = ("--python", str(self.bin / "python"))
        self._uv("pip", "install", "--quiet", *target, *versions, str(wheel))

    def _uv(self, *words: str) -> None:
        done = subprocess.run([UV, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *argv: str, **environment: str) -> lab.Run:
        """Type a command in the repository."""
        known = {"PATH", "HOME", "LANG", "SSH_AUTH_SOCK", "TMPDIR"}
        kept = {key: value for key, value in lab.surroundings().items() if key in known}
        password = (PROJECT / ".lab/registry_password").read_text().strip()
        done = subprocess.run(
            [str(self.bin / argv[0]), *argv[1:]],
            cwd=self.root,
            env={**kept, "MAESTRO_SECRET_REGISTRY_PASSWORD": password, "COLUMNS": "1000"}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return lab.ended(argv, done.returncode, done.stdout, 0.0)

    def play(self, playbook: str, *words: str, **environment: str) -> lab.Run:
        """Run a playbook for staging."""
        return self.run("ansible-playbook", playbook, "-l", "staging", *words, **environment)

    def edit(self, path: str, pattern: str, *lines: str) -> None:
        """Put lines in place of one, as a user does in an editor."""
        file = self.root / path
        text, found = re.subn(
            pattern, "\n".join(lines), file.read_text(), count=1, flags=re.MULTILINE
        )
        assert found == 1, (path, pattern)
        file.write_text(text)
        self.edited[path] = self.edited.get(path, 0) + len(lines)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    locked = ("--constraint", str(PROJECT / "requirements.lock"))
    repository = Own(tmp_path_factory.mktemp("own"), "3.11", *locked)
    yield repository
    if (repository.root / "ansible.cfg").exists():
        repository.play("maestro.stacks.remove", "-e", f"stack={STACK}")


@pytest.fixture
def bare(lab_made: None) -> Iterator[tuple[str, ...]]:
    """Hosts that have nothing but Debian, Python and SSH, for one test."""
    del lab_made
    made = "tests/bare/hosts.yml"
    lab.playbook(made, "-e", "state=absent").ok()
    lab.playbook(made).ok()
    yield BARE
    lab.playbook(made, "-e", "state=absent").ok()


def settings(own: Own, hosts: Sequence[str], ssh_config: str, *more: str) -> None:
    """Edit what `maestro init` wrote: the hosts, the registry, where its password is."""
    ways = f"{{ansible_user: root, ansible_ssh_common_args: '-F {PROJECT}/.lab/{ssh_config}'}}"
    machines = [f"    {host}: {ways}" for host in hosts]
    own.edit("inventories/hosts.yml", r"^    # web-1:\n(    #.*\n)*", *machines, "")
    own.edit(
        "inventories/group_vars/all.yml",
        r"^# maestro_registry: .*\n# maestro_registry_username: .*$",
        "maestro_registry: registry.test:5000",
        "maestro_registry_username: maestro",
        *more,
    )
    own.edit("inventories/group_vars/all.yml", r"^  source: vault$", "  source: environment")
    assert len(own.edited) <= 2
    assert sum(own.edited.values()) <= 12


def deployed(own: Own, hosts: Sequence[str]) -> None:
    """A plan, a deploy that changes all hosts, and one that changes nothing."""
    words = ("-e", "version=v1")
    own.play("maestro.stacks.plan", *words).ok()
    assert own.play("deploy.yml", *words).ok().changed(*hosts) != [0] * len(hosts)
    again = own.play("deploy.yml", *words).ok()
    assert again.changed(*hosts) == [0] * len(hosts)


def test_from_a_compose_file_to_a_verified_deploy(own: Own) -> None:
    (own.root / "docker-compose.yml").write_text(COMPOSE)
    own.run("maestro", "init").ok()
    settings(own, HOSTS, "ssh_config")
    where = own.run("python", "-c", "import maestro; print(maestro.__file__)").ok().out
    assert where.startswith(str(own.bin.parent))
    deployed(own, HOSTS)
    for host in HOSTS:
        assert list(lab.containers(host, STACK)) == ["web"]
        assert lab.manifest(host, STACK)["version"] == "v1"


@pytest.mark.long
@pytest.mark.parametrize(("python", "ansible"), [("3.12", 13), ("3.13", 14)])
def test_on_bare_hosts_with_a_newer_ansible(
    bare: tuple[str, ...], tmp_path: Path, python: str, ansible: int
) -> None:
    program = next(Path.home().glob(f".pyenv/versions/{python}.*/bin/python"), None)
    program = program or shutil.which(f"python{python}")
    if program is None:
        pytest.skip(f"Ansible {ansible} needs Python {python}, which this machine does not have")
    own = Own(tmp_path, str(program), f"ansible>={ansible},<{ansible + 1}")
    (own.root / "docker-compose.yml").write_text(COMPOSE)
    own.run("maestro", "init").ok()
    registries = (
        "edge_image: registry.test:5000/edge:3.7.15",
        "docker_engine_registries:",
        "  - address: registry.test:5000",
        "    username: maestro",
        "    password: \"{{ lookup('maestro.stacks.secret', 'registry_password') }}\"",
        f"    ca: \"{{{{ lookup('file', '{PROJECT}/.lab/ca.crt') }}}}\"",
    )
    settings(own, bare, "bare/ssh_config", *registries)
    core = own.run("ansible-playbook", "--version").ok().out
    assert f"[core 2.{ansible + 7}." in core

    refused = own.play("deploy.yml").failed(*bare, "run maestro.stacks.provision for this host")
    assert refused.changed(*bare) == [0] * len(bare)
    own.play("maestro.stacks.provision").ok()
    assert own.play("maestro.stacks.provision").ok().changed(*bare) == [0] * len(bare)
    deployed(own, bare)
    own.run("maestro", "doctor", "-l", "staging").ok()
    for word in ("DEPRECAT", "WARNING"):
        assert word not in own.play("deploy.yml", "-e", "version=v2").ok().out
    own.play("maestro.stacks.rollback").ok()
    assert "v1" in own.play("maestro.stacks.status").ok().out


def test_with_another_ansible_cfg_nothing_runs(own: Own) -> None:
    (own.root / "other.cfg").write_text("[defaults]\ninventory = inventories\n")
    for playbook in ("deploy.yml", "maestro.stacks.provision"):
        run = own.play(playbook, "-vvv", ANSIBLE_CONFIG="other.cfg")
        run.failed("nothing masks the secrets in what this run shows")
        assert "TASK" not in run.out

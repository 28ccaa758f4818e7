"""The lab: what a second run changes, what it repairs, what it refuses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from e2e import lab

HOSTS = ("registry", *lab.STAGING, *lab.PRODUCTION)
DIRECTORY = lab.PROJECT / ".lab"


def docker(*arguments: str) -> str:
    """Ask the Engine of this machine."""
    return lab.run("docker", *arguments).ok().out.strip()


@pytest.fixture(scope="module", autouse=True)
def a_lab(demo: lab.Run) -> None:
    """The demo made it."""


def test_what_is_secret_is_closed_to_others() -> None:
    assert DIRECTORY.stat().st_mode & 0o777 == 0o700
    for name in ("id_ed25519", "ca.key", "registry_password", "registry_push_password"):
        assert (DIRECTORY / name).stat().st_mode & 0o077 == 0, name


def copy_of_the_project(target: Path) -> Path:
    """Another checkout on the same machine, with the toolkit of this one."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=lab.PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        source, copy = lab.PROJECT / name, target / name
        if source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    (target / ".venv").symlink_to(lab.PROJECT / ".venv")
    return target


HOSTS_ALONE = {"ANSIBLE_RUN_TAGS": "lab"}


def make(checkout: Path, *words: str, **environ: str) -> lab.Run:
    """Run make in another checkout."""
    unset = [word for name in os.environ if name.startswith("LAB_") for word in ("-u", name)]
    given = [f"{name}={value}" for name, value in environ.items()]
    return lab.run("env", *unset, *given, "make", "-C", str(checkout), *words)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_of_the_project(tmp_path / "clone")


def test_the_lab_of_another_checkout_is_refused_by_name_and_left_alone(clone: Path) -> None:
    mine = lab.settings()
    done = make(clone, "lab", LAB_NAME=mine["name"], LAB_PORT_OFFSET=str(mine["port_offset"]))
    done.failed("This machine cannot run the lab")
    assert f"belongs to {lab.PROJECT}: choose another LAB_NAME" in done.out
    assert not (clone / ".lab").exists()


def test_a_busy_port_is_refused_with_what_to_set(clone: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = make(clone, "lab", LAB_NAME="probe", LAB_PORT_STAGING_1_HTTP=port)
    done.failed(f"port {port} on 127.0.0.1, for staging-1 http, is in use")


# Of this run alone: one that was killed may have left hosts and volumes.
SECOND = f"second-{os.getpid()}"


def hosts() -> dict[str, str]:
    """The container of each host of this lab."""
    name = lab.settings()["name"]
    return {host: docker("inspect", "-f", "{{.Id}}", f"{name}-{host}") for host in HOSTS}


class Second:
    """A second lab on this machine, of another checkout, with another name and other ports.

    Its hosts stay bare: what makes one of them a registry is what the first lab has.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.known_hosts = checkout / ".lab/known_hosts"

    def ssh(self, host: str, command: str) -> lab.Run:
        return lab.run("ssh", "-F", str(self.checkout / ".lab/ssh_config"), host, command)

    def ids(self) -> dict[str, str]:
        """The container of each host."""
        return {host: docker("inspect", "-f", "{{.Id}}", f"{SECOND}-{host}") for host in HOSTS}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """Made, and gone without a trace; ours is untouched."""
    ours = hosts()
    checkout = copy_of_the_project(tmp_path_factory.mktemp("second") / "clone")
    offset = str(lab.settings()["port_offset"] + 50)
    made = make(checkout, "lab", LAB_NAME=SECOND, LAB_PORT_OFFSET=offset, **HOSTS_ALONE)
    try:
        made.ok()
        yield Second(checkout)
    finally:
        down = make(checkout, "lab-down")
    down.ok()
    for kind in ("container", "volume", "network"):
        assert SECOND not in docker(kind, "ls", *["--all"] * (kind == "container"))
    assert not (checkout / ".lab").exists()
    assert hosts() == ours


def test_a_second_lab_on_the_same_machine_comes_and_goes_alone(second: Second) -> None:
    assert second.ssh("staging-1", "hostname").ok().out.strip() == "staging-1"
    known = yaml.safe_load((second.checkout / ".lab/settings.yml").read_text())
    assert known["ports"]["staging-1"]["http"] == 8081 + lab.settings()["port_offset"] + 50


def test_what_is_missing_comes_back_and_the_rest_stays(second: Second) -> None:
    """Lost keys, a stopped and a removed host; that one has its volume again."""
    pinned = set(second.known_hosts.read_text().splitlines())
    kept = second.ids()
    second.ssh("production-2", "echo kept > /var/lib/docker/of-the-volume").ok()
    docker("stop", f"{SECOND}-production-1")
    docker("rm", "-f", f"{SECOND}-production-2")
    second.known_hosts.unlink()
    make(second.checkout, "lab", **HOSTS_ALONE).ok()
    now = second.ids()
    assert [host for host in HOSTS if kept[host] != now[host]] == ["production-2"]
    lost = pinned - set(second.known_hosts.read_text().splitlines())
    assert all(line.startswith("production-2 ") for line in lost), "only a new host has a new key"
    assert second.ssh("production-1", "hostname").ok().out.strip() == "production-1"
    kept_file = second.ssh("production-2", "cat /var/lib/docker/of-the-volume")
    assert kept_file.ok().out.strip() == "kept"


def test_a_port_that_stopped_listening_comes_back(second: Second) -> None:
    port = yaml.safe_load((second.checkout / ".lab/settings.yml").read_text())["ports"]
    http = str(port["staging-1"]["http"])
    (proxy,) = lab.run("pgrep", "-f", f"docker-proxy .*-host-port {http} ").ok().out.split()
    os.kill(int(proxy), signal.SIGKILL)
    kept = second.ids()
    make(second.checkout, "lab", **HOSTS_ALONE).ok()
    assert second.ids() == kept, "no host was made anew"
    lab.run("pgrep", "-f", f"docker-proxy .*-host-port {http} ").ok()
    assert second.ssh("staging-1", "hostname").ok().out.strip() == "staging-1"


def test_a_lab_keeps_its_name_until_it_is_removed() -> None:
    done = lab.run("make", "lab", env={"LAB_NAME": "another-name"})
    done.failed("LAB_NAME is another-name, and this lab was made with", "make lab-down")

"""What the role leaves on bare hosts, looked at over SSH."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

testinfra_hosts = ["ssh://debian-13"]


@pytest.fixture(scope="module")
def debian_12() -> Host:
    """The host whose distribution is refused."""
    config = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "lab" / "ssh_config"
    return testinfra.get_host("ssh://debian-12", ssh_config=str(config))


def test_a_container_really_runs(host: Host) -> None:
    """An image is made of what the host has, and a container of it runs within its limit."""
    host.check_output(
        "tar -C / -cf - bin lib lib64 usr/bin usr/lib usr/lib64 | docker import - probe:1"
    )
    container = "docker run --rm --hostname inside --memory 64m probe:1"
    assert host.check_output(f"{container} /bin/uname -n") == "inside"
    # Its users are nobody's on the host.
    inside, outside, _ = host.check_output(f"{container} /bin/cat /proc/self/uid_map").split()
    assert inside == "0"
    assert f"dockremap:{outside}:" in host.file("/etc/subuid").content_string


def test_compose_and_buildx_answer(host: Host) -> None:
    assert host.check_output("docker compose version --short").startswith("2.")
    assert host.run("docker buildx version").rc == 0


def test_the_service_is_enabled_and_running(host: Host) -> None:
    service = host.service("docker")
    assert service.is_enabled
    assert service.is_running


def test_the_configuration_is_merged_and_in_force(host: Host) -> None:
    """Defaults and the operator's options stand side by side, and the Engine runs with them."""
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert config["log-opts"] == {"max-size": "5m", "max-file": "3"}
    assert config["max-concurrent-downloads"] == 5
    assert config["live-restore"] is True
    assert config["no-new-privileges"] is True
    assert config["userns-remap"] == "default"
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert {"name=no-new-privileges", "name=userns"} <= set(info["SecurityOptions"])
    assert info["DefaultAddressPools"] == [{"Base": "10.201.0.0/16", "Size": 24}]


def test_the_packages_are_held(host: Host) -> None:
    held = host.check_output("apt-mark showhold").split()
    assert {"docker.io", "docker-cli", "docker-compose", "docker-buildx"} <= set(held)


def test_containers_survive_a_restart_of_the_engine(host: Host) -> None:
    """A restart, as a changed configuration causes one, leaves a container running."""
    host.check_output("docker rm -f lasting >/dev/null 2>&1 || true")
    host.check_output("docker run -d --name lasting probe:1 /bin/sleep 60")
    pid = "docker inspect --format '{{.State.Pid}}' lasting"
    before = host.check_output(pid)
    host.check_output("systemctl restart docker")
    assert host.check_output(pid) == before
    host.check_output("docker rm -f lasting")


def test_docker_s_repository_is_described_with_its_key(debian_12: Host) -> None:
    sources = debian_12.file("/etc/apt/sources.list.d/docker.sources").content_string
    assert "URIs: https://download.docker.com/linux/debian\n" in sources
    assert "Suites: bookworm\n" in sources
    assert "Components: stable\n" in sources
    assert "-----BEGIN PGP PUBLIC KEY BLOCK-----" in sources


def test_nothing_was_installed_on_the_refused_host(debian_12: Host) -> None:
    assert not debian_12.exists("dockerd")

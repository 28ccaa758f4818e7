"""The role docker_engine on a host that has an Engine: what it leaves alone, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import lab

pytestmark = pytest.mark.usefixtures("production")

HOST = "production-2"


def provision(*arguments: str) -> lab.Run:
    return lab.playbook(
        "playbooks/provision.yml", "-l", HOST, "--tags", "docker_engine", *arguments
    )


def provision_as(directory: Path, variables: dict[str, str]) -> lab.Run:
    """The role on a host that is another than it is, which no variable of a command line says."""
    (directory / "group_vars").symlink_to(lab.PROJECT / "group_vars")
    role = {
        "ansible.builtin.include_role": {"name": "maestro.stacks.docker_engine"},
        "vars": variables,
    }
    play = {"hosts": HOST, "gather_facts": False, "tasks": [role]}
    (directory / "play.yml").write_text(json.dumps([play]))
    return lab.playbook(str(directory / "play.yml"))


def state() -> str:
    """What the role could change on the host."""
    return lab.ssh(
        HOST,
        "sha256sum /etc/docker/daemon.json /root/.docker/config.json; ls /etc/apt/sources.list.d;"
        "dpkg-query -W 'docker*' containerd; apt-mark showhold;"
        "systemctl show -p ActiveEnterTimestamp docker",
    )


@pytest.fixture(scope="module", autouse=True)
def provisioned(production_hosts: None) -> None:
    """The host has the Engine and everything else."""


def test_a_second_run_changes_nothing() -> None:
    before = state()
    assert provision().ok().changed(HOST) == [0]
    assert state() == before


def test_check_mode_shows_a_change_and_makes_none() -> None:
    before = state()
    wanted = json.dumps({"docker_engine_daemon_options": {"max-concurrent-downloads": 7}})
    shown = provision("--check", "--diff", "-e", wanted).ok()
    assert '"max-concurrent-downloads": 7' in shown.out
    assert state() == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"docker_engine_source": "docker"}, "has docker.io, which docker_engine_source"),
        (
            {
                "docker_engine_minimum_version": "99.0",
                "docker_engine_compose_minimum_version": "9.0",
            },
            "docker-compose 2.26.1 (9.0 is needed), docker.io 26.1.5 (99.0 is needed)",
        ),
        (
            {"docker_engine_daemon_options": {"live-restore": "yes"}},
            "docker_engine_daemon_options/live-restore: is text, and the Engine wants true or",
        ),
        (
            {"docker_engine_daemon_options": {"no-such-option": 1}},
            "no-such-option",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_a_change(variables: dict, words: str) -> None:
    before = state()
    provision("-e", json.dumps(variables)).failed(words)
    assert state() == before


def test_a_system_that_is_not_supported_is_refused(tmp_path: Path) -> None:
    before = state()
    provision_as(tmp_path, {"__docker_engine_system": "Debian 11"}).failed(
        "runs Debian 11, which is not supported"
    )
    assert state() == before


def test_a_configuration_that_does_not_parse_is_refused_and_left_alone() -> None:
    lab.ssh(
        HOST, "cp -a /etc/docker/daemon.json /root/daemon.json; echo '{' > /etc/docker/daemon.json"
    )
    try:
        provision().failed("/etc/docker/daemon.json, line 2", "this is not JSON", "not changed")
        assert lab.ssh(HOST, "cat /etc/docker/daemon.json") == "{\n"
    finally:
        lab.ssh(HOST, "mv /root/daemon.json /etc/docker/daemon.json")


def test_a_key_of_somebody_else_in_the_configuration_is_kept() -> None:
    lab.ssh(HOST, """sed -i '1s/{/{"max-download-attempts": 7,/' /etc/docker/daemon.json""")
    provision().ok()
    assert json.loads(lab.ssh(HOST, "cat /etc/docker/daemon.json"))["max-download-attempts"] == 7
    gone = json.dumps({"docker_engine_daemon_options": {"max-download-attempts": None}})
    provision("-e", gone).ok()
    assert "max-download-attempts" not in lab.ssh(HOST, "cat /etc/docker/daemon.json")


def test_a_wrong_password_is_refused_without_showing_it() -> None:
    lab.ssh(
        HOST, "cp -a /root/.docker/config.json /root/login.json; docker logout registry.test:5000"
    )
    sentinel = "sentinel-of-a-wrong-password"
    try:
        done = provision("-vvv", "--diff", "-e", f"maestro_registry_password={sentinel}")
        done.failed(f"{HOST} cannot log in to a registry", "registry.test:5000 as maestro", "401")
        # What the command line itself was given is the user's own.
        said = done.out.replace(f"maestro_registry_password={sentinel}", "")
        assert sentinel not in said
    finally:
        lab.ssh(HOST, "mv /root/login.json /root/.docker/config.json")


def test_docker_s_own_repository_is_refused_where_it_cannot_be_reached(tmp_path: Path) -> None:
    """On a host without an Engine: the lab's network may or may not reach it, a closed port not."""
    variables = {
        "docker_engine_source": "docker",
        "__docker_engine_other": "none",
        "docker_engine_repository_url": "http://127.0.0.1:9/linux/debian",
    }
    before = lab.ssh(HOST, "ls /etc/apt/sources.list.d")
    provision_as(tmp_path, variables).failed(
        "cannot fetch http://127.0.0.1:9/linux/debian/gpg", "docker_engine_repository_url"
    )
    assert lab.ssh(HOST, "ls /etc/apt/sources.list.d") == before


# An Engine that was here before us. Cheap as it is dear: one Ansible run for each kind.

DROP_IN = "/etc/systemd/system/docker.service.d/own.conf"


@pytest.fixture
def keeps() -> Iterator[None]:
    """A container that nothing would start again after a restart of the Engine."""
    lab.ssh(
        HOST,
        "docker run -d --name keeps --restart no "
        "$(docker inspect -f '{{.Config.Image}}' maestro-edge) --entrypoints.own.address=:9000",
    )
    yield
    lab.ssh(HOST, "docker rm -f keeps", check=False)


def runs() -> list[str]:
    return lab.ssh(HOST, "docker ps --format '{{.Names}}'").split()


def test_what_stands_in_the_way_of_a_change_is_named_before_it() -> None:
    unit = "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --log-driver=journald\n"
    lab.ssh(HOST, f"mkdir -p {DROP_IN.rpartition('/')[0]}; printf '{unit}' > {DROP_IN}")
    wanted = {
        "docker_engine_daemon_options": {"data-root": "/srv/docker"},
        "docker_engine_userns_remap": True,
    }
    before = state()
    try:
        provision("-e", json.dumps(wanted)).failed(
            f"{DROP_IN}: log-driver is given to the Engine here and in /etc/docker/daemon.json",
            "data-root is /var/lib/docker and would become /srv/docker",
            "userns-remap is none and would become default",
            "keep it (docker_engine_userns_remap: false)",
        )
        assert state() == before
    finally:
        lab.ssh(HOST, f"rm -r {DROP_IN.rpartition('/')[0]}; systemctl daemon-reload")


@pytest.mark.usefixtures("keeps")
def test_an_engine_that_does_not_come_up_goes_back_with_all_that_ran() -> None:
    before, ran = lab.ssh(HOST, "cat /etc/docker/daemon.json"), runs()
    wanted = {"docker_engine_daemon_options": {"seccomp-profile": "/no/such/file.json"}}
    provision("-e", json.dumps(wanted)).failed(
        "the Engine does not start", "The old file was restored, and the Engine runs with it"
    )
    assert lab.ssh(HOST, "cat /etc/docker/daemon.json") == before
    assert runs() == ran


@pytest.mark.usefixtures("keeps")
def test_what_ran_before_a_restart_of_the_engine_runs_after_it() -> None:
    ran = sorted(runs())
    try:
        provision("-e", "docker_engine_live_restore=false").ok()
        assert "false" in lab.ssh(HOST, "docker info -f '{{.LiveRestoreEnabled}}'")
        assert sorted(runs()) == ran
    finally:
        # The Engine stops its containers now.
        provision().ok()
    assert sorted(runs()) == ran

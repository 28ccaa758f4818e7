"""The lab's decisions: settings, what a machine lacks, names and ports that others have."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from maestro.machine import lab

HOSTS: list[dict[str, Any]] = [
    {"name": "registry", "ports": {"ssh": 2200, "registry": 5000}},
    {"name": "staging-1", "ports": {"ssh": 2201, "http": 8081}},
]
MACHINE: dict[str, Any] = {
    "engine": "26.1.5",
    "root": False,
    "apt": True,
    "system": "Debian GNU/Linux 13",
    "architecture": "x86_64",
    "cgroups": ["cpu", "memory", "pids"],
    "disk": 100 * 1024**3,
    "memory": 16 * 1024**3,
    "missing_programs": [],
}


def settings(environ: dict[str, str], remembered: dict[str, Any] | None = None) -> lab.Settings:
    found, problems = lab.settings(HOSTS, environ, remembered)
    assert problems == []
    return found


def problems(environ: dict[str, str], remembered: dict[str, Any] | None = None) -> str:
    return "\n".join(lab.settings(HOSTS, environ, remembered)[1])


class TestSettings:
    def test_defaults(self) -> None:
        found = settings({})
        assert (found.name, found.port_offset) == ("maestro", 0)
        assert found.ports["staging-1"] == {"ssh": 2201, "http": 8081}

    def test_the_environment_names_the_lab_and_moves_its_ports(self) -> None:
        found = settings({"LAB_NAME": "ci-7", "LAB_PORT_OFFSET": "3000"})
        assert found.name == "ci-7"
        assert found.ports["registry"] == {"ssh": 5200, "registry": 8000}

    def test_one_port_alone(self) -> None:
        found = settings({"LAB_PORT_STAGING_1_HTTP": "9999", "LAB_PORT_OFFSET": "10"})
        assert found.ports["staging-1"] == {"ssh": 2211, "http": 9999}

    def test_what_was_remembered_holds_without_an_environment(self) -> None:
        first = settings({"LAB_NAME": "mine", "LAB_PORT_OFFSET": "20"})
        remembered = {"name": first.name, "port_offset": 20, "ports": first.ports}
        assert settings({}, remembered) == first

    def test_hosts_of_another_run_stay_remembered(self) -> None:
        remembered = {"name": "maestro", "port_offset": 0, "ports": {"old": {"ssh": 1}}}
        assert settings({}, remembered).ports["old"] == {"ssh": 1}

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"LAB_NAME": "Not A Name"}, "LAB_NAME='Not A Name'"),
            ({"LAB_PORT_OFFSET": "-1"}, "LAB_PORT_OFFSET='-1'"),
            ({"LAB_PORT_OFFSET": "99999"}, "is not a port"),
            ({"LAB_PORT_STAGING_1_HTTP": "0"}, "LAB_PORT_STAGING_1_HTTP: 0 is not a port"),
            ({"LAB_PORT_STAGING_1_HTTP": "2200"}, "used twice: by registry ssh and by staging-1"),
        ],
    )
    def test_wrong_values_are_named(self, environ: dict[str, str], words: str) -> None:
        assert words in problems(environ)

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"LAB_NAME": "other"}, "LAB_NAME is other, and this lab was made with maestro"),
            ({"LAB_PORT_OFFSET": "5"}, "LAB_PORT_OFFSET is 5, and this lab was made with 0"),
            ({"LAB_PORT_STAGING_1_HTTP": "90"}, "was made with 8081: run `make lab-down` first"),
        ],
    )
    def test_a_change_of_mind_is_refused(self, environ: dict[str, str], words: str) -> None:
        first = settings({})
        remembered = {"name": first.name, "port_offset": 0, "ports": first.ports}
        assert words in problems(environ, remembered)


class TestMachine:
    def test_a_good_one_has_no_problem(self) -> None:
        assert lab.machine_problems(MACHINE) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"engine": ""}, "only root may install one"),
            ({"engine": "", "root": True, "apt": False}, "is not Debian or Ubuntu"),
            ({"architecture": "riscv64"}, "the processor is riscv64"),
            ({"cgroups": ["cpu"]}, "missing or not mounted: memory, pids"),
            ({"disk": 1024**3}, "too little disk under /var/lib: 1.0 GiB, and 8 GiB are needed"),
            ({"memory": 1024**3}, "too little available memory: 1.0 GiB"),
            ({"missing_programs": [("ssh", "openssh-client")]}, "ssh is missing: install openssh"),
        ],
    )
    def test_what_it_lacks_is_said(self, change: dict[str, Any], words: str) -> None:
        found = lab.machine_problems(MACHINE | change)
        assert len(found) == 1
        assert words in found[0]

    def test_everything_is_said_at_once(self) -> None:
        assert len(lab.machine_problems(MACHINE | {"engine": "", "disk": 0, "cgroups": []})) == 3

    def test_root_installs_an_engine_where_none_answers(self) -> None:
        assert lab.machine_problems(MACHINE | {"engine": "", "root": True}) == []

    def test_room_is_not_asked_for_again(self) -> None:
        full = MACHINE | {"disk": 0, "memory": 0}
        assert lab.machine_problems(full, need_disk=False) == []

    def test_this_machine_is_read(self) -> None:
        found = lab.read_machine({"sh": "dash", "no-such-program": "nothing"})
        assert found["disk"] > 0
        assert found["memory"] > 0
        assert found["missing_programs"] == [("no-such-program", "nothing")]


class TestNamesAndPorts:
    NAMES = {"staging-1": "maestro-staging-1"}  # noqa: RUF012

    def check(self, containers: dict[str, Any], busy: set[int]) -> list[str]:
        wanted = settings({})
        return lab.lab_problems(wanted, self.NAMES, "/here", containers, busy.__contains__)

    def test_a_free_machine_has_no_problem(self) -> None:
        assert self.check({}, set()) == []

    def test_a_busy_port_is_named_with_what_to_set(self) -> None:
        (found,) = self.check({}, {8081})
        assert "port 8081 on 127.0.0.1, for staging-1 http, is in use" in found
        assert "LAB_PORT_OFFSET, or LAB_PORT_STAGING_1_HTTP" in found

    def test_the_ports_of_a_running_host_are_its_own(self) -> None:
        own = {"labels": {lab.LABEL_CHECKOUT: "/here"}, "running": True}
        assert self.check({"maestro-staging-1": own}, {2201, 8081}) == []

    @pytest.mark.parametrize("labels", [{}, {lab.LABEL_CHECKOUT: "/elsewhere"}])
    def test_the_host_of_another_checkout_is_refused(self, labels: dict[str, str]) -> None:
        (found,) = self.check({"maestro-staging-1": {"labels": labels, "running": True}}, set())
        assert "choose another LAB_NAME and LAB_PORT_OFFSET" in found


class TestPending:
    def test_only_what_is_missing_stopped_or_different(self) -> None:
        names = {"a": "l-a", "b": "l-b", "c": "l-c", "d": "l-d"}
        wanted = dict.fromkeys(names, "1")
        good = {"running": True, "labels": {lab.LABEL_DEFINITION: "1"}}
        containers = {
            "l-a": good,
            "l-b": good | {"running": False},
            "l-c": {"running": True, "labels": {lab.LABEL_DEFINITION: "2"}},
        }
        assert lab.pending(names, wanted, containers) == ["b", "c", "d"]

    def test_a_definition_changes_with_host_ports_and_image(self) -> None:
        one = lab.definition({"name": "a"}, {"ssh": 1}, "x")
        assert one == lab.definition({"name": "a"}, {"ssh": 1}, "x")
        assert one != lab.definition({"name": "a"}, {"ssh": 2}, "x")
        assert one != lab.definition({"name": "a"}, {"ssh": 1}, "y")

    def test_a_content_id_changes_with_names_and_content(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("1")
        first = lab.content_id(tmp_path)
        (tmp_path / "file").write_text("2")
        second = lab.content_id(tmp_path)
        (tmp_path / "file").rename(tmp_path / "other")
        assert len({first, second, lab.content_id(tmp_path)}) == 3


class TestReading:
    """What is read from the Engine, with a program in its place that answers as it does."""

    @pytest.fixture
    def docker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        program = tmp_path / "docker"
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return program

    def say(self, program: Path, text: str, status: int = 0) -> None:
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
        program.chmod(0o755)

    def test_containers_that_exist_among_those_asked_for(self, docker: Path) -> None:
        item = {
            "Name": "/lab-a",
            "Config": {"Labels": {"k": "v"}},
            "State": {"Running": True},
            "NetworkSettings": {"Ports": {"22/tcp": [{"HostPort": "2201"}], "80/tcp": None}},
        }
        self.say(docker, json.dumps([item]), status=1)
        found = lab.read_containers(["lab-a", "lab-b"])
        assert found == {
            "lab-a": {"labels": {"k": "v"}, "running": True, "ports": {"22/tcp": 2201}}
        }

    def test_no_names_no_question(self) -> None:
        assert lab.read_containers([]) == {}

    def test_keys_without_their_comments(self, docker: Path) -> None:
        self.say(docker, "ssh-ed25519 AAA root@a\nssh-ed25519 BBB lab")
        assert lab.read_keys("lab-a") == {"host": "ssh-ed25519 AAA", "user": "ssh-ed25519 BBB"}

    def test_a_host_that_has_no_key_yet(self, docker: Path) -> None:
        self.say(docker, "", status=1)
        assert lab.read_keys("lab-a") == {"host": "", "user": ""}

    def test_only_the_hosts_volumes(self, docker: Path) -> None:
        self.say(docker, "lab-a-docker\nlab-ab-docker\nother")
        assert lab.read_volumes("/here", ["lab-a"]) == ["lab-a-docker"]
        assert lab.read_volumes("/here") == ["lab-a-docker", "lab-ab-docker", "other"]

    def test_all_containers_of_a_checkout(self, docker: Path) -> None:
        self.say(docker, "lab-a\nlab-molecule-x-b")
        assert lab.read_names("/here") == ["lab-a", "lab-molecule-x-b"]

    def test_no_docker_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert lab.read_machine({})["engine"] == ""

    @pytest.mark.parametrize(
        ("cgroups", "mounts", "expected"),
        [
            ("memory 1 1 1\npids 1 1 0", "x /sys/fs/cgroup cgroup2 rw 0 0", ["memory"]),
            ("memory 1 1 1\ncpu 1 1 1", "x /sys/fs/cgroup/memory cgroup rw,memory 0 0", ["memory"]),
            ("memory 1 1 1", "x /sys/fs/cgroup/unified cgroup2 rw 0 0", []),
        ],
    )
    def test_controllers_that_can_be_used(
        self, cgroups: str, mounts: str, expected: list[str]
    ) -> None:
        assert lab._controllers(f"#name\n{cgroups}", mounts) == expected

    def test_a_port_that_is_taken(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            assert lab.port_busy(taken.getsockname()[1])


def test_a_running_host_with_a_port_that_does_not_listen_is_dead() -> None:
    names = {"a": "l-a", "b": "l-b", "c": "l-c", "d": "l-d"}
    ports = {"a": {"ssh": 1, "http": 2}, "b": {"ssh": 3}, "c": {"ssh": 4}}
    up = {"running": True, "labels": {}}
    containers = {"l-a": up, "l-b": up, "l-c": {**up, "running": False}, "l-d": up}
    assert lab.dead(names, ports, containers, lambda port: port in (1, 3)) == ["a"]

"""`maestro doctor`: what each fact becomes in the table, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maestro.cli import doctor as command
from maestro.cli import maestro
from maestro.errors import MaestroError
from maestro.host import checkup, identity, registry
from maestro.host.engine import Engine
from maestro.play import doctor as play
from maestro.report import doctor
from maestro.report.doctor import NOTE, OK, PROBLEM, Check

GIB = doctor.GIB


def disk(free: float = 50, size: float = 100, **more: int) -> dict[str, Any]:
    return {
        "place": "/var/lib/docker",
        "free": int(free * GIB),
        "size": int(size * GIB),
        "files_free": 90,
        "files": 100,
        **more,
    }


def facts(**more: Any) -> dict[str, Any]:
    return {
        "root": True,
        "python": "3.13.5",
        "at": 100.5,
        "synchronized": "yes",
        "disks": [disk()],
        "agent": "a1",
        "units": dict(checkup.UNITS),
        "identity": {"host": "web-1", "environment": "staging"},
        "engine": {"version": "26.1.5", "compose": "2.26.1", "data": "/d", "problem": ""},
        "registry": {"name": "registry.test:5000", "problem": "", "fix": ""},
        "stacks": [],
        "silent": [],
        **more,
    }


def examined(**more: Any) -> Any:
    base = {"environment": "staging", "agent": "a1", "began": 100.0, "ended": 101.0, "groups": []}
    return {**base, "facts": facts(**more)}


def states(checks: list[Check]) -> dict[str, str]:
    return {f"{check.area} {check.what}": check.state for check in checks if check.state != OK}


def test_a_host_that_is_as_it_should_be() -> None:
    checks = doctor.of_host("web-1", examined())
    assert states(checks) == {}
    assert {check.host for check in checks} == {"web-1"}
    assert not doctor.failed(checks)


@pytest.mark.parametrize(
    ("found", "state", "fix"),
    [
        ({"root": False}, {"hosts sudo": PROBLEM}, "ansible_become"),
        ({"at": 220.0}, {"hosts clock": PROBLEM}, "set-ntp"),
        ({"at": 40.0}, {"hosts clock": PROBLEM}, "set-ntp"),
        ({"at": 104.0}, {}, ""),
        ({"synchronized": "no"}, {"hosts clock": NOTE}, "set-ntp"),
        ({"disks": [disk(0.5, 100)]}, {"hosts disk": PROBLEM}, "prune"),
        ({"disks": [disk(5, 100)]}, {"hosts disk": NOTE}, "prune"),
        ({"disks": [disk(files_free=0)]}, {"hosts disk": PROBLEM}, "prune"),
        ({"agent": ""}, {"hosts agent": PROBLEM}, "provision -l web-1"),
        ({"agent": "b2"}, {"hosts agent": NOTE}, ""),
        ({"units": {}}, {"hosts agent": PROBLEM}, "systemctl enable --now maestro-agent.service"),
        ({"identity": {}}, {"hosts provisioned": PROBLEM}, "provision -l web-1"),
        (
            {"identity": {"host": "w", "environment": "production"}},
            {"hosts provisioned": PROBLEM},
            "maestro_environment",
        ),
        (
            {"identity": {"problem": "damaged"}},
            {"hosts provisioned": PROBLEM},
            "provision -l web-1",
        ),
        (
            {"engine": {"version": "", "compose": "", "data": "", "problem": "none answers"}},
            {"engine running": PROBLEM},
            "systemctl status docker",
        ),
        (
            {"engine": {"version": "26", "compose": "", "data": "", "problem": ""}},
            {"engine Compose": PROBLEM},
            "provision -l web-1",
        ),
        (
            {"registry": {"name": "r", "problem": "it refuses 'm'", "fix": "correct the secret"}},
            {"registry r": PROBLEM},
            "correct the secret",
        ),
        ({"registry": None}, {}, ""),
        ({"silent": ["web: nothing answers on :80"]}, {"engine ports": NOTE}, "docker ps"),
    ],
)
def test_what_is_wrong_with_a_host(found: dict[str, Any], state: dict[str, str], fix: str) -> None:
    checks = doctor.of_host("web-1", examined(**found))
    assert states(checks) == state
    assert any(fix in check.fix for check in checks if check.state != OK) or not fix
    assert doctor.failed(checks) == (PROBLEM in state.values())


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        (
            {"unreached": "Failed to connect: x\nweb-1: Permission denied (publickey)."},
            "SSH",
            "ssh-copy-id",
        ),
        ({"unreached": "Host key verification failed."}, "SSH", "fingerprint"),
        (
            {"unreached": "ssh: connect to host a port 22: Connection timed out"},
            "SSH",
            "firewall",
        ),
        ({"unreached": "something"}, "SSH", "by hand"),
        ({"problem": "sudo: a password is required"}, "sudo", "-K"),
        ({"problem": "/bin/sh: 1: /usr/bin/python3: not found"}, "Python", "apt-get install"),
        ({}, "Python", "apt-get install"),
    ],
)
def test_a_host_that_gives_no_facts_is_a_line(given: Any, what: str, fix: str) -> None:
    checks = doctor.of_host("web-1", {"problem": "", **given} if given else {"problem": "x"})
    (wrong,) = [check for check in checks if check.state == PROBLEM]
    assert (wrong.what, wrong.host) == (what, "web-1")
    assert fix in wrong.fix


def test_hosts_of_two_environments() -> None:
    assert states(doctor.of_inventory({"a": "staging", "b": "staging"}, ["staging"])) == {}
    wrong = doctor.of_inventory({"a": "staging", "b": ""}, [])
    assert states(wrong) == {"inventory environment": PROBLEM}
    assert "b: none" in wrong[-1].found


def test_the_table_says_what_to_do_below_each_line() -> None:
    checks = [
        Check("hosts", "disk", PROBLEM, "/: 0.5 GiB free (1%)", "docker system prune", "web-1"),
        Check("controller", "Python", OK, "3.13.5", "never shown"),
    ]
    lines = doctor.table(checks, 80).splitlines()
    assert lines[0] == "controller  -      Python  ok       3.13.5"
    assert lines[1] == "hosts       web-1  disk    PROBLEM  /: 0.5 GiB free (1%)"
    assert lines[2] == "  -> docker system prune"
    assert lines[-1] == "1 problem."
    assert max(map(len, doctor.table(doctor.of_host("w", examined(at=9.0)), 60).splitlines())) <= 60


# Where facts come from


def test_the_controller_of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(play.constants.CONFIG_FILE or "").parent
    assert states(play.of_controller(root)) == {}
    monkeypatch.setattr(play, "ansible_core", "2.18.1")
    monkeypatch.setattr(play.constants, "CALLBACKS_ENABLED", [])
    monkeypatch.setattr(play.constants, "HOST_KEY_CHECKING", False)
    monkeypatch.setattr(play.constants, "CONFIG_FILE", None)
    assert states(play.of_controller(root)) == {
        "controller ansible-core": PROBLEM,
        "controller ansible.cfg": PROBLEM,
        "controller redaction": PROBLEM,
        "keys host keys": PROBLEM,
    }
    monkeypatch.setattr(play, "ansible_core", "2.30.0")
    assert states(play.of_controller(root))["controller ansible-core"] == NOTE


SHOP = "services: {web: {image: 'a:1', secrets: [key]}}\nsecrets: {key: {}}\n"


def test_secrets_by_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shop", "blog", "wiki"):
        (tmp_path / "docker" / name).mkdir(parents=True)
        (tmp_path / "docker" / name / "compose.yaml").write_text(SHOP)
    (tmp_path / "docker/wiki/compose.yaml").write_text("services: {web: {image: 'a:1'}}\n")
    monkeypatch.setattr(play.controller, "project", lambda: tmp_path)
    given = {
        "stack": "shop",
        "environment": "staging",
        "directory": "docker",
        "registry": "",
        "registry_username": "",
        "secrets": {"source": "directory"},
        "variables_by_stack": {},
        "profiles_by_stack": {},
    }
    checks = play.of_secrets(given, [], None)
    assert states(checks) == {"secrets shop": PROBLEM, "secrets blog": NOTE}
    assert "missing secret: key" in checks[-2].found
    assert states(play.of_secrets(given, ["blog"], None))["secrets blog"] == PROBLEM
    place = tmp_path / "secrets/staging/common"
    place.mkdir(parents=True)
    (place / "key").write_text("tK9-value")
    (place / "key").chmod(0o600)
    checks = play.of_secrets(given, ["blog"], None)
    assert states(checks) == {}
    assert "tK9" not in str(checks)
    assert states(play.of_secrets({**given, "secrets": {"source": "none"}}, [], None)) == {
        "secrets shop": PROBLEM,
        "secrets blog": NOTE,
        "secrets wiki": NOTE,
    }


def test_a_host_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "Engine", lambda: Engine(str(tmp_path / "none")))
    monkeypatch.setattr(identity, "HOME", tmp_path)
    found = checkup.read(tmp_path / "maestro")
    assert "no Docker Engine answers" in found["engine"]["problem"]
    assert found["identity"] == {}
    assert found["registry"] is None
    assert found["disks"][0]["size"] > 0
    (tmp_path / "host.json").write_text("{")
    assert "damaged" in checkup.read(tmp_path / "maestro")["identity"]["problem"]


def test_a_registry_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MaestroError, match="cannot be reached"):
        registry.Registry("127.0.0.1:9", timeout=1).answers()

    def refused(*_: object) -> None:
        raise registry._Refused(401, "", b"")

    monkeypatch.setattr(registry.Registry, "_get", refused)
    with pytest.raises(MaestroError, match="refuses us without a login"):
        registry.Registry("127.0.0.1:9").answers()


# The command


def test_the_command_asks_the_play_and_exits_by_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_of_controller", lambda _: [Check("controller", "Python", OK)])
    wrong = Check("hosts", "disk", PROBLEM, "full", "prune", "web-1")
    asked: list[list[str]] = []

    def play_says(argv: list[str], **_: Any) -> Any:
        asked.append(argv)
        file = Path(argv[-1].partition("=")[2])
        file.write_text(json.dumps(doctor.plain([wrong])))
        return SimpleNamespace(stdout="", returncode=2)

    monkeypatch.setattr(command.subprocess, "run", play_says)
    assert maestro.main(["doctor", "-l", "staging", "-e", "a=b", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert said["checks"][0]["host"] == "web-1"
    assert asked[0][1:6] == ["maestro.stacks.doctor", "-l", "staging", "-e", "a=b"]
    assert maestro.main(["doctor"]) == 0
    assert "all is as it should" in capsys.readouterr().out

    def nothing(argv: list[str], **_: Any) -> Any:
        return SimpleNamespace(stdout="[ERROR]: no such group: stagin\n", returncode=1)

    monkeypatch.setattr(command.subprocess, "run", nothing)
    assert maestro.main(["doctor", "-l", "stagin"]) == 1
    assert "no such group" in capsys.readouterr().out

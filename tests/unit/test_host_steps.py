"""The steps of a play: the same by a module and by the host's own program."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from maestro.errors import MaestroError
from maestro.host import agent, lease, provisioning, steps, switch, userns
from maestro.host.layout import Layout
from maestro.machine import lab_info
from maestro.play import agent_archive

ROOT = Path(__file__).parents[2]
CLAIM = {
    "token": "t1",
    "by": "somebody",
    "purpose": "a test",
    "release": "",
    "serves": "",
    "limit": 60,
    "timeout": 60,
    "armed": False,
}
NOTHING_DROPPED: dict[str, object] = {"changed": False, "dropped": [], "networks": []}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(userns, "here", lambda: userns.OFF)
    layout = Layout(tmp_path / "maestro", "shop")
    lease.acquire(layout, CLAIM)
    return layout


def said(layout: Layout, **more: object) -> dict[str, object]:
    return {"root": str(layout.root), "stack": "shop", "lease": "t1", **more}


# What modules take that are no step of a play on a host.
OTHERS = {
    "daemon": provisioning.DAEMON,
    "edge": provisioning.EDGE,
    "edge_image": provisioning.EDGE_IMAGE,
    "maintenance": provisioning.MAINTENANCE,
    "lab_info": lab_info.ARGUMENTS,
}


def page(name: str) -> dict[str, Any]:
    """The documentation of a module, with what it has in common with others."""
    found: dict[str, Any] = yaml.safe_load(constants(ROOT / f"library/{name}.py")["DOCUMENTATION"])
    shared = constants(ROOT / "doc_fragments/step.py")
    for fragment in found.get("extends_documentation_fragment", []):
        assert fragment.startswith("maestro.stacks.step")
        name = fragment.removeprefix("maestro.stacks.step").strip(".").upper()
        part = yaml.safe_load(shared[name or "DOCUMENTATION"])
        found["options"] = {**found.get("options", {}), **part["options"]}
    return found


def constants(path: Path) -> dict[str, str]:
    """The texts that a file gives names."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


# What Ansible itself reads in a result, and of which type; from 2.21 on it converts other types.
RESERVED = {
    **dict.fromkeys(("changed", "failed", "skipped", "unreachable", "finished"), "bool"),
    "rc": "int",
    "msg": "str",
    "exception": "str",
    "diff": "dict",
    "ansible_facts": "dict",
    **dict.fromkeys(("warnings", "deprecations"), "list"),
    "ansible_job_id": "str",
    "ansible_stats": "dict",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "library").glob("*.py")))
def test_no_answer_uses_a_key_of_ansible_for_something_else(name: str) -> None:
    told = constants(ROOT / f"library/{name}.py")
    returned = yaml.safe_load(told.get("RETURN", "{}"))
    assert {
        key: RESERVED[key]
        for key, value in returned.items()
        if key in RESERVED and value["type"] != RESERVED[key]
    } == {}


def test_a_module_is_its_page_and_one_call() -> None:
    assert {path.stem for path in (ROOT / "library").glob("*.py")} == {*steps.STEPS, *OTHERS}
    for path in (ROOT / "library").glob("*.py"):
        kinds = [type(node).__name__ for node in ast.parse(path.read_text()).body]
        assert kinds[:1] == ["Expr"], path
        assert kinds[1:5] == ["ImportFrom", "Assign", "Assign", "Assign"], path
        assert set(kinds[5:-1]) == {"ImportFrom"}, path
        assert kinds[-1] == "If", path
        assert len(path.read_text().partition("__main__")[2].splitlines()) == 2, path


@pytest.mark.parametrize("name", sorted({*steps.STEPS, *OTHERS}))
def test_the_page_of_a_module_names_what_it_takes(name: str) -> None:
    documented = {
        option: (facts["type"], facts.get("required", False), facts.get("default"))
        for option, facts in page(name)["options"].items()
        if option != "guard"  # for the controller alone
    }
    arguments = OTHERS[name] if name in OTHERS else steps.STEPS[name].specification()
    taken = {
        option: (facts["type"], facts.get("required", False), facts.get("default"))
        for option, facts in arguments.items()
    }
    for facts in (documented, taken):
        facts.pop("payload", None)
        facts.pop("request", None)
    assert documented == taken
    assert name in OTHERS or (ROOT / "action_plugins" / f"{name}.py").exists()


def test_a_step_works_under_the_lease_and_the_last_gives_it_back(layout: Layout) -> None:
    assert steps.take("finish", said(layout, keep=5)) == NOTHING_DROPPED
    assert lease.read(layout) is None


def test_a_step_of_a_run_that_lost_its_lease_does_nothing(layout: Layout) -> None:
    answer = steps.take("finish", said(layout, keep=5, lease="another"))
    assert answer["failed"]
    assert "is no longer this run's" in answer["msg"]
    assert lease.read(layout) is not None


def test_a_problem_with_a_file_says_which(layout: Layout) -> None:
    """A link that leads nowhere, where the releases are."""
    layout.releases.symlink_to(layout.home / "nowhere")
    files: dict[str, object] = {"configs": {}, "secrets": [], "reading": {}}
    given = {"release": "r1", "compose": "services: {}", **files}
    answer = steps.take("stage", said(layout, **given))
    assert answer["failed"]
    assert str(layout.releases) in answer["msg"]
    assert "check the disk" in answer["msg"]


def test_secrets_are_written_once_and_a_release_is_committed(layout: Layout) -> None:
    file = {"name": "token", "version": "r1", "uid": 0, "gid": 0, "mode": "0400"}
    payload = json.dumps({"secrets": {"token": "value"}, "login": None})
    given = {"request": {}, "files": [file], "payload": payload}
    checked = ArgumentSpecValidator(steps.STEPS["secrets"].specification()).validate(
        said(layout, **given)
    )
    assert checked.error_messages == []
    assert steps.take("secrets", checked.validated_parameters)["written"] == ["token"]
    assert steps.take("secrets", checked.validated_parameters)["written"] == []
    layout.release("r1").mkdir(parents=True)
    manifest = {"services": {}, "secrets": {"token": "r1"}}
    commit = {"release": "r1", "manifest": manifest, "remove": [], "kind": "update", "timeout": 1}
    assert steps.take("commit", said(layout, **commit))["changed"]
    assert layout.current_id() == "r1"


def test_a_lease_is_taken_for_the_plan_that_was_made(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maestro.host.containers.of_stack", lambda *_: [{"Id": "c1"}])
    given = said(layout, state="acquired", claim=CLAIM, token="t1")
    answer = steps.take("lease", {**given, "expect": {"release": "", "containers": []}})
    assert "changed on this host since the plan was made" in answer["msg"]
    assert lease.read(layout) is None, "it is given back"
    monkeypatch.setattr(switch, "set_up", lambda _: None)
    expect = {"release": "", "containers": ["c1"]}
    assert steps.take("lease", {**given, "expect": expect})["token"] == "t1"
    assert lease.read(layout) is not None
    steps.take("lease", {**given, "state": "released"})
    assert lease.read(layout) is None


def test_a_switch_that_cannot_be_set_gives_the_lease_back(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Layout) -> None:
        raise MaestroError("no timer")

    monkeypatch.setattr("maestro.host.containers.of_stack", lambda *_: [])
    monkeypatch.setattr(switch, "set_up", broken)
    expect = {"release": "", "containers": []}
    given = said(layout, state="acquired", claim=CLAIM, token="", expect=expect)
    assert steps.take("lease", given)["msg"] == "no timer"
    assert lease.read(layout) is None


def test_nothing_abandoned_is_nothing_to_recover(layout: Layout) -> None:
    assert steps.take("recover", said(layout)) == {"changed": False, "serves": ""}


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The host's program, as a host runs it: Python's own library, nothing of this project."""
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive.build())
    return [sys.executable, "-I", "-S", str(path), "take"]


def test_the_hosts_program_takes_a_step(program: list[str], layout: Layout) -> None:
    done = subprocess.run(
        [*program, "finish", agent_archive.identity()],
        input=json.dumps(said(layout, keep=5)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == NOTHING_DROPPED
    assert lease.read(layout) is None


def test_an_unpacked_program_takes_a_step(program: list[str], layout: Layout) -> None:
    """From compiled modules; the archive still says which build it is."""
    archive, identity = Path(program[3]), agent_archive.identity()
    older, before = archive.with_name("a" * 64), archive.with_name("b" * 64)
    for build in (older, before):
        build.mkdir()
        (build / "module.py").touch()
    os.utime(older, (1, 1))
    agent.unpack(archive, identity)
    unpacked = archive.with_name(identity)
    assert not older.exists()
    assert before.is_dir(), "a step of the build before may be under way"
    assert list(unpacked.glob("maestro/host/__pycache__/agent.*.pyc"))
    agent.unpack(archive, identity)
    done = subprocess.run(
        [*program[:3], "-v", *program[3:], "finish", identity],
        input=json.dumps(said(layout, keep=5)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == NOTHING_DROPPED
    assert re.search(rf"{unpacked}/maestro/host/__pycache__/agent\..* matches", done.stderr)


def test_a_program_that_cannot_be_unpacked_takes_steps_all_the_same(
    program: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    archive = Path(program[3])
    archive.with_name(f".{agent_archive.identity()}").write_text("in the way")
    agent.unpack(archive, agent_archive.identity())
    assert "Not a directory" in capsys.readouterr().err
    assert not archive.with_name(agent_archive.identity()).exists()


def test_another_program_takes_none(program: list[str], layout: Layout) -> None:
    done = subprocess.run(
        [*program, "finish", "of-another-checkout"], input="", text=True, check=False
    )
    assert done.returncode == agent.OTHER_PROGRAM
    assert lease.read(layout) is not None

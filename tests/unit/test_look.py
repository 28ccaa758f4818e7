"""What an account that may only look can ask, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import look, steps
from maestro.host.agent import OTHER_PROGRAM
from maestro.play import agent_archive, look_only


def question(step: str = "journal", program: str = "", **params: Any) -> str:
    program = program or agent_archive.identity()
    return json.dumps({"step": step, "program": program, "params": params})


@pytest.mark.parametrize("step", sorted(set(steps.STEPS) - set(look.QUESTIONS)))
def test_every_other_step_is_refused(step: str) -> None:
    with pytest.raises(MaestroError, match="may only look"):
        look.Question.read(question(step))


def test_what_may_be_asked_only_reads() -> None:
    for name, params in look.QUESTIONS.items():
        assert steps.STEPS[name].reads
        assert {"root", "stack"} | set(params) == set(steps.STEPS[name].specification())


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "null", '"x"', "[" * 100_000, question()[:-1]),
        '{"step": "journal", "program": "x", "params": 1}',
        question(last="50"),
        question(last=True),
        question(stack=["a"]),
        question(stack=None),
        question("logs", services="api"),
        question("logs", services=[1]),
        question("logs", tail=5),
    ],
)
def test_what_is_no_question(text: str) -> None:
    with pytest.raises(MaestroError):
        look.Question.read(text)


def test_the_directory_is_the_hosts_and_what_is_unknown_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Mapping[str, Any]] = []

    def take(_: str, params: Mapping[str, Any]) -> dict[str, Any]:
        seen.append(params)
        return {}

    monkeypatch.setattr(steps, "take", take)
    asked = look.Question.read(question(last=3, root="/home/ops/evil", payload="x"))
    assert look.answer(asked, tmp_path) == {}
    assert seen == [{"stack": "", "last": 3, "root": str(tmp_path)}]


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive.build())
    return [sys.executable, "-I", "-S", str(path), "--root", str(tmp_path / "stacks"), "look"]


def ask(program: list[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program, input=text, capture_output=True, text=True, check=False)


def test_the_hosts_program_answers(program: list[str]) -> None:
    done = ask(program, question())
    assert json.loads(done.stdout) == {"changed": False, "events": []}
    assert "cannot name a stack" in json.loads(ask(program, question(stack="../x")).stdout)["msg"]
    assert "may only look" in json.loads(ask(program, question("remove")).stdout)["msg"]
    assert ask(program, question(program="another")).returncode == OTHER_PROGRAM
    assert ask([*program, "remove"], question()).returncode == 2


def shell(rc: int, stdout: str = "", stderr: str = "") -> look_only.Shell:
    return lambda *_: {"rc": rc, "stdout": stdout, "stderr": stderr}


def test_the_controller_asks_by_one_command_line() -> None:
    heard: list[tuple[str, bytes]] = []

    def answer(command: str, text: bytes) -> Mapping[str, Any]:
        heard.append((command, text))
        return {"rc": 0, "stdout": 'Welcome\n{"events": []}\n', "stderr": ""}

    args = {"root": "/opt/maestro", "stack": "", "last": 7}
    assert look_only.answer(answer, "journal", args) == {"events": []}
    ((command, text),) = heard
    line = "/usr/bin/python3 -I /usr/local/lib/maestro/agent.pyz --root /opt/maestro look"
    assert command == f"sudo -n {line}"
    assert look.Question.read(text.decode()).params == {"stack": "", "last": 7}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (shell(OTHER_PROGRAM), ["not of the version of this checkout"]),
        (
            shell(1, stderr="sudo: a password is required"),
            ["this account may not look: sudo: a password is required", "host_agent_lookers"],
        ),
        (shell(127, stdout="sudo: not found"), ["this account may not look: sudo: not found"]),
    ],
)
def test_why_a_host_does_not_answer(said: look_only.Shell, words: list[str]) -> None:
    with pytest.raises(MaestroError) as caught:
        look_only.answer(said, "journal", {"root": "/opt/maestro"})
    assert [word for word in words if word not in str(caught.value)] == []

"""Completion in a shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from maestro.cli import completion, maestro

HOSTS = """
staging: {hosts: {staging-1: {}, staging-2: {}}}
all: {children: {production: {hosts: {live-1: }}}}
secret: !vault |
  $ANSIBLE_VAULT
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "ansible.cfg": "",
        "inventories/staging/hosts.yml": HOSTS,
        "inventories/staging/group_vars/all.yml": "no_host: {hosts: {wrong: }}",
        "group_vars/all.yml": "maestro_stack: shop\nmaestro_stacks_dir: stacks\n",
        "stacks/shop/compose.yaml": "services: {web: {}, worker: !reset {}, db: {}}",
        "stacks/site/docker-compose.yml": "services: {page: {}}",
        "stacks/none/README.md": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x", "--allow-empty"],
        ["tag", "v1"],
        ["tag", "v2"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ansible-playbook deploy.yml -l s", ["secret", "staging", "staging-1", "staging-2"]),
        ("ansible-playbook deploy.yml -l staging-1,li", ["staging-1,live-1"]),
        ("maestro plan -e s", ["stack=", "service="]),
        ("maestro plan -e stack=", ["stack=shop", "stack=site"]),
        ("maestro plan -e stack=si", ["stack=site"]),
        ("ansible-playbook x -e service=w", ["service=web", "service=worker"]),
        ("ansible-playbook x -e service=db,we", ["service=db,web"]),
        ("ansible-playbook x -e stack=site -e service=", ["service=page"]),
        ("maestro plan -e other=", []),
        ("maestro p", ["plan"]),
        ("maestro com", ["completion"]),
        ("ansible-playbook dep", []),
    ],
)
def test_what_a_word_may_become(root: Path, line: str, found: list[str]) -> None:
    commands = ("plan", "approve", "completion", "complete")
    assert completion.answers(line.split(" "), root, commands) == found


def test_versions_are_the_tags(root: Path) -> None:
    assert set(completion.answers(["maestro", "-e", "version="], root)) == {
        "version=v1",
        "version=v2",
    }


def test_the_program_answers_the_shell(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert maestro.main(["complete", "--", "maestro", "plan", "-e", "stack=si"]) == 0
    assert capsys.readouterr().out == "stack=site\n"
    monkeypatch.chdir("/")
    assert maestro.main(["complete", "--", "maestro", "plan", "-e", "stack=si"]) == 0
    assert capsys.readouterr().out == ""


def test_bash_takes_the_script(root: Path, tmp_path: Path) -> None:
    """A real bash completes with it."""
    program = tmp_path / "bin/maestro"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "stack=site\\n"\n')
    program.chmod(0o755)
    script = (
        f"PATH={program.parent}:$PATH\n{completion.BASH}\n"
        'COMP_WORDS=(maestro plan -e stack=) COMP_CWORD=3\n_maestro_words\necho "${COMPREPLY[@]}"'
    )
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "stack=site\n"

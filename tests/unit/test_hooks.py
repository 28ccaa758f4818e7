"""The hooks before a commit, run by the real pre-commit in a copy of the project."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# In pieces, or the hook would refuse this very file.
PRIVATE_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nabc\n"
LINTERS = "format,types,rust,yaml,ansible,shell,docker"


class Clone:
    """A copy of the project under git, with its hooks installed and no network to help them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        blocked = "http://127.0.0.1:9"
        self.environ = {
            k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PRE_COMMIT"))
        }
        self.environ |= {
            "PRE_COMMIT_HOME": str(path.parent / "pre-commit"),
            "PATH": f"{path}/.venv/bin:{os.environ['PATH']}",
            "HTTP_PROXY": blocked,
            "HTTPS_PROXY": blocked,
            "PIP_NO_INDEX": "1",
            "UV_OFFLINE": "1",
        }

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.path,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return self.run("git", *who, *words, **environ)

    def commit(self, files: Mapping[str, str], skip: str = "tests") -> str:
        """Try to commit files; return what the hooks say, nothing when they were committed."""
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert self.git("add", "--force", *files).returncode == 0
        done = self.git("commit", "-m", "Add what is tried", SKIP=skip)
        self.git("reset", "--quiet", "--hard")
        return done.stdout + done.stderr if done.returncode else ""

    def says(self, message: str) -> str:
        """What the hooks say of a commit with this message and no files, or nothing."""
        done = self.git("commit", "--allow-empty", "-m", message)
        return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def clone(copy_project: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """One for all tests here: the linters fill their caches once."""
    found = Clone(copy_project(tmp_path_factory.mktemp("hooks") / "maestro"))
    assert found.git("init", "--quiet").returncode == 0
    assert found.git("add", "--all").returncode == 0
    assert found.git("commit", "--quiet", "-m", "All of it").returncode == 0
    done = found.run("make", "hooks")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


@pytest.mark.requirement("T4.3")
def test_the_hooks_pass_offline(clone: Clone) -> None:
    done = clone.run("pre-commit", "run", "--all-files", "--verbose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d{3} passed", done.stdout), "no test ran"
    assert clone.git("status", "--porcelain").stdout == ""


@pytest.mark.requirement("T4.3")
def test_what_is_not_clean_is_not_committed(clone: Clone) -> None:
    said = clone.commit(
        {
            "src/maestro/bad.py": '"""Bad."""\n\nx: int = {  "a" }\n',
            "docker/bad.rs": "fn main( ) {}\n",
            "group_vars/bad.yml": "a: [1,2\n",
            "playbooks/bad.yml": "- hosts: all\n  tasks:\n    - command: id\n",
            "scripts/bad": "#!/bin/sh\ncd $1\n",
            "docker/Dockerfile": "FROM debian:latest\n",
        }
    )
    failed = re.findall(r"\(([\w-]+)\)\.+Failed", said)
    linters = ["ruff", "mypy", "rustfmt", "yamllint", "ansible-lint", "shellcheck", "hadolint"]
    assert failed == linters, said
    # Each for what is wrong, and not because something could not be fetched.
    for words in (
        "x: int = {",
        "Incompatible types",
        "syntax error",
        "SC2164",
        "DL3007",
        "fn main()",
    ):
        assert words in said
    assert "no-free-form" in said or "name[play]" in said


@pytest.mark.requirement("T4.3")
def test_a_failing_test_of_what_is_committed_blocks_the_commit(clone: Clone) -> None:
    failing = '"""Tests."""\n\n\ndef test_that_fails() -> None:\n    assert not "broken"\n'
    said = clone.commit({"tests/unit/test_added.py": failing}, skip=LINTERS)
    assert "test_that_fails" in said


@pytest.mark.requirement("T4.3")
def test_the_tests_named_after_a_module_are_those_of_its_commit(clone: Clone) -> None:
    (clone.path / "src/maestro/host/lease.py").write_text("# Changed.\n")
    clone.git("add", "--all")
    said = clone.run("scripts/tests-of-commit", "--collect-only").stdout
    clone.git("reset", "--quiet", "--hard")
    assert "test_host_lease.py" in said


def test_no_secret_is_committed(clone: Clone) -> None:
    said = clone.commit(
        {
            "secrets/staging/jessy.yml": "token: in the clear\n",
            "secrets/staging/jessy.sops.yml": "token: x\n",
            ".vault-password": "x\n",
            "notes.txt": PRIVATE_KEY,
        },
        skip=f"tests,{LINTERS}",
    )
    assert "secrets/staging/jessy.yml: it is not encrypted\n" in said
    assert "secrets/staging/jessy.sops.yml: it is not encrypted by sops\n" in said
    assert ".vault-password: it is a password or a key\n" in said
    assert "notes.txt: it holds a private key\n" in said
    clean = {
        "secrets/staging/jessy.yml": "$ANSIBLE_VAULT;1.1;AES256\n61\n",
        "notes.txt": "Nothing to see.\n",
    }
    assert clone.commit(clean, skip=f"tests,{LINTERS}") == ""


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        (f"Check {'a' * 66}", ""),
        (f"Check {'a' * 67}", "subject-max-length"),
        ("Added a check", "subject-imperative"),
    ],
)
def test_a_subject_is_short_and_in_the_imperative(clone: Clone, subject: str, rule: str) -> None:
    said = clone.says(f"{subject}\n\nThe body may say why, in lines of any length.")
    assert (rule in said) if rule else not said, said

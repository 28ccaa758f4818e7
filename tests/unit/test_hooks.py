"""The hooks before a commit, run by the real pre-commit in a copy of the project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# In pieces, or the hook would refuse this very file.
PRIVATE_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nabc\n"


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

    def commit(self, name: str, text: str, skip: str = "tests") -> str:
        """Try to commit one file; return what the hooks say, nothing when it was committed."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        assert self.git("add", "--force", name).returncode == 0
        done = self.git("commit", "-m", f"Add {name}", SKIP=skip)
        self.git("reset", "--quiet", "--hard")
        return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture
def clone(project_copy: Path) -> Clone:
    found = Clone(project_copy)
    assert found.git("init", "--quiet").returncode == 0
    assert found.git("add", "--all").returncode == 0
    assert found.git("commit", "--quiet", "-m", "All of it").returncode == 0
    done = found.run("make", "hooks")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_the_hooks_pass_offline(clone: Clone) -> None:
    # The tests themselves are run beside this one; here it is the hook that is tried.
    done = clone.run("pre-commit", "run", "--all-files", PYTEST_ADDOPTS="-k test_policy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.git("status", "--porcelain").stdout == ""


def test_what_is_not_clean_is_not_committed(clone: Clone) -> None:
    assert "ruff" in clone.commit("src/maestro/bad.py", "x = {  'a':1 }\n")
    assert "mypy" in clone.commit("src/maestro/bad.py", '"""Bad."""\n\nx: int = "a"\n')
    assert "yamllint" in clone.commit("group_vars/bad.yml", "a: [1,2\n")
    assert "shellcheck" in clone.commit("scripts/bad", "#!/bin/sh\ncd $1\n")
    assert "hadolint" in clone.commit("docker/Dockerfile", "FROM debian:latest\n")


def test_no_secret_is_committed(clone: Clone) -> None:
    def commit(name: str, text: str) -> str:
        return clone.commit(name, text, skip="tests,format,types,yaml,shell,docker")

    assert "not encrypted" in commit("secrets/staging/jessy.yml", "token: in the clear\n")
    assert "not encrypted by sops" in commit("secrets/staging/jessy.sops.yml", "token: x\n")
    assert "a password or a key" in commit(".vault-password", "x\n")
    assert "holds a private key" in commit("notes.txt", PRIVATE_KEY)
    assert commit("secrets/staging/jessy.yml", "$ANSIBLE_VAULT;1.1;AES256\n61\n") == ""
    assert commit("notes.txt", "Nothing to see.\n") == ""

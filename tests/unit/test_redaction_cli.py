"""`maestro redact` masks what flows through it, line by line, and refuses what it cannot read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("measured")

COMMAND = [sys.executable, "-m", "maestro.cli.maestro_redact"]
SECRET = "s3cr3t-of-the-database"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "jessy").mkdir()
    (tmp_path / "jessy" / "db_password").write_text(SECRET + "\n")
    (tmp_path / "environment").write_text("prod\n")
    return tmp_path


def _run(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.requirement("T7.4")
def test_known_and_unknown_secrets_are_masked(directory: Path) -> None:
    done = _run("--secrets-from", directory, text=f"db {SECRET} in prod\npassword=hunter2\n")
    assert done.stdout == "db *** in prod\npassword=***\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_only_known_secrets_when_asked(directory: Path) -> None:
    done = _run("--secrets-from", directory, "--known-only", text=f"{SECRET} password=hunter2")
    assert done.stdout == "*** password=hunter2"


def test_the_report_names_and_does_not_show(directory: Path) -> None:
    done = _run("--secrets-from", directory, "--report")
    assert str(directory / "environment") in done.stderr
    assert "prod" not in done.stderr.replace(str(directory), "")
    assert SECRET not in done.stderr


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PW", SECRET)
    assert _run("--secrets-from-env", "DB_PW", text=f"x {SECRET}\n").stdout == "x ***\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--secrets-from", "/nonexistent"], "/nonexistent: this is not a directory"),
        (
            ["--secrets-from-env", "NOT_SET_HERE"],
            "NOT_SET_HERE: there is no such environment variable",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_shown(
    arguments: list[str], message: str
) -> None:
    done = _run(*arguments, text=SECRET)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_line_is_shown_while_the_input_stays_open(directory: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--secrets-from", str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"one {SECRET[:8]}".encode())
        process.stdin.flush()
        time.sleep(0.2)  # a secret in two writes, with a pause between
        process.stdin.write(f"{SECRET[8:]} two\nthree".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"one *** two\n"
        process.stdin.close()
        assert process.stdout.read() == b"three"


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"yes line | head -c 3000000 | {' '.join(COMMAND)} | head -n 1"],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ,
    )  # fmt: skip
    assert done.stdout == "line\n"
    assert "Traceback" not in done.stderr

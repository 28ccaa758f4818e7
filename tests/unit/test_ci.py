"""`.ci/run`: one verdict, no lab left behind. Here with a `make` that only notes its calls."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = """#!/bin/bash
echo "$1 CI=$CI LAB_NAME=$LAB_NAME LAB_PORT_OFFSET=$LAB_PORT_OFFSET" >> calls
if [ "$1" = lab-down ]; then echo 'Removing the lab'; exit "${DOWN:-0}"; fi
if read -r line; then echo "there is standard input: $line"; fi
[ -z "${SLOW:-}" ] || { touch began; sleep 30; }
echo 'a warning' >&2
echo '=== 3 passed in 1.00s ==='
[ "${STATUS:-0}" = 0 ] || echo "make: *** [Makefile:1: test] Error $STATUS" >&2
exit "${STATUS:-0}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/make").write_text(MAKE)
    (tmp_path / "bin/make").chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    return tmp_path


def environ(project: Path, **extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
    return kept | {"PATH": f"{project}/bin:{os.environ['PATH']}"} | extra


def run(project: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / ".ci/run"],
        cwd="/",
        env=environ(project, **extra),
        input="never read\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text().splitlines()


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_verdict_is_kept_and_its_line_stays_last(project: Path, status: int) -> None:
    done = run(project, STATUS=str(status))
    assert done.returncode == status
    assert sorted(done.stdout.splitlines()) == ["=== 3 passed in 1.00s ===", "a warning"]
    assert "make: ***" not in done.stdout
    assert [call.split()[0] for call in calls(project)] == ["test", "lab-down"]


def test_it_has_a_lab_of_its_own_and_says_that_it_is_ci(project: Path) -> None:
    run(project)
    words = dict(word.split("=") for word in calls(project)[0].split()[1:])
    assert words["CI"] == "true"
    assert words["LAB_NAME"].startswith("ci-")
    assert 3000 <= int(words["LAB_PORT_OFFSET"]) <= 32767 - 8452
    assert calls(project)[1].split()[1:] == calls(project)[0].split()[1:]
    run(project, LAB_NAME="mine", LAB_PORT_OFFSET="7")
    assert calls(project)[2] == "test CI=true LAB_NAME=mine LAB_PORT_OFFSET=7"


def test_no_two_labs_share_a_port() -> None:
    """Whatever two checkouts draw, their ports differ."""
    ports = [2200, 2201, 2202, 2211, 2212, 5000, 8081, 8082, 8091, 8092, 8441, 8442, 8451, 8452]
    taken = [port + 3000 + number * 110 for number in range(190) for port in ports]
    assert len(taken) == len(set(taken))


def test_a_lab_that_cannot_be_removed_is_told_without_changing_the_verdict(project: Path) -> None:
    done = run(project, DOWN="1")
    assert done.returncode == 0
    assert "was not removed" in done.stdout


def test_an_interrupted_run_cleans_up_too(project: Path) -> None:
    process = subprocess.Popen(
        [project / ".ci/run"], env=environ(project, SLOW="1"), start_new_session=True
    )
    deadline = time.monotonic() + 20
    while not (project / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    assert [call.split()[0] for call in calls(project)] == ["test", "lab-down"]


def test_a_checkout_with_another_lab_is_left_alone(project: Path) -> None:
    (project / ".lab").mkdir()
    (project / ".lab/settings.yml").write_text("name: maestro\nport_offset: 0\n")
    done = run(project)
    assert done.returncode == 2
    assert "make lab-down" in done.stdout
    assert not (project / "calls").exists()

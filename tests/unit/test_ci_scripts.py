"""What CI's stages leave behind, and who is told: as CI runs them, with a `make` of the test."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-correct-horse"
MAKE = """#!/bin/bash
echo "called: $*"
if [ "$3" = ci-slow ]; then
    trap 'echo ended > ended' INT; touch began; sleep 30 & wait; exit 130
fi
for number in $(seq 1 30); do echo "line $number"; done
echo "token is $API_TOKEN"
exit "${STATUS:-0}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/make").write_text(MAKE)
    (tmp_path / "bin/make").chmod(0o755)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    shutil.copytree(ROOT / "scripts/ci", tmp_path / "scripts/ci")
    (tmp_path / "src").symlink_to(ROOT / "src")
    return tmp_path


def environ(project: Path, **extra: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GITHUB_", "CI_", "LAB_", "NOTIFY_"))
    }
    return kept | {"PATH": f"{project}/bin:{os.environ['PATH']}", "API_TOKEN": SECRET} | extra


def stage(project: Path, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / ".ci/run", *words],
        cwd="/",
        env=environ(project, **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def failure(project: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / f".cache/ci/failure-{name}.json").read_text())
    return found


def test_a_stage_is_a_target_of_make_and_is_timed(project: Path) -> None:
    done = stage(project, "lint")
    assert done.returncode == 0
    assert done.stdout.startswith("called: -f .ci/stages.mk ci-lint\n")
    (line,) = (project / ".cache/ci/times.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert (said["stage"], said["ok"]) == ("lint", True)
    assert not list((project / ".cache/ci").glob("failure-*"))
    assert stage(project, "../lint").returncode == 2


def test_a_failed_stage_leaves_who_what_where_and_the_last_lines(project: Path) -> None:
    github = {
        "GITHUB_JOB": "unit",
        "GITHUB_SHA": "abc123",
        "GITHUB_SERVER_URL": "https://git.test",
        "GITHUB_REPOSITORY": "us/app",
        "GITHUB_RUN_ID": "7",
    }
    assert stage(project, "unit", STATUS="2", **github).returncode == 2
    said = failure(project, "unit")
    assert (said["job"], said["step"], said["exit_code"]) == ("unit", "unit", 2)
    assert said["commit"] == "abc123"
    assert said["url"] == "https://git.test/us/app/actions/runs/7"
    assert len(said["lines"]) == 20
    assert said["lines"][-2] == "line 30"
    assert SECRET not in json.dumps(said)
    # What failed and then passed is not told any more.
    assert stage(project, "unit", **github).returncode == 0
    assert not list((project / ".cache/ci").glob("failure-*"))


def test_a_cancelled_stage_ends_what_it_began(project: Path) -> None:
    process = subprocess.Popen(
        [project / ".ci/run", "slow"], env=environ(project), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not (project / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    assert (project / "ended").exists()


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes what a webhook is sent; fails as often as the test says."""

    bodies: list[dict[str, Any]] = []  # noqa: RUF012 -- of one test at a time
    fails = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Sink.fails:
            Sink.fails -= 1
            self.send_response(500)
        else:
            Sink.bodies.append(json.loads(body))
            self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[str]:
    Sink.bodies, Sink.fails = [], 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()


def notify(project: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/ci/notify.py"],
        cwd=project,
        env=environ(project, **extra),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.requirement("R4.4")
def test_a_failure_is_told_to_a_webhook_and_in_the_summary(project: Path, sink: str) -> None:
    stage(project, "unit", STATUS="1", GITHUB_JOB="unit", GITHUB_SHA="abc123")
    kept = project / ".cache/ci/failures/failure-unit"
    kept.mkdir(parents=True)
    shutil.move(project / ".cache/ci/failure-unit.json", kept)
    Sink.fails = 1
    needs = {"unit": {"result": "failure"}, "molecule": {"result": "failure"}}
    summary = project / "summary.md"
    done = notify(
        project,
        NOTIFY_WEBHOOK=sink,
        NEEDS=json.dumps(needs),
        GITHUB_STEP_SUMMARY=str(summary),
        GITHUB_SHA="abc123",
    )
    assert done.returncode == 0, done.stderr
    (body,) = Sink.bodies
    assert (body["job"], body["step"], body["commit"]) == ("unit", "unit", "abc123")
    assert len(body["lines"]) == 20
    # A job that left nothing behind is named as well.
    assert [item["job"] for item in body["failures"]] == ["unit", "molecule"]
    assert "unit, step `unit`, commit `abc123`" in summary.read_text()
    for text in (json.dumps(body), summary.read_text(), done.stdout, done.stderr):
        assert SECRET not in text
        assert sink not in text


def test_without_a_webhook_the_summary_is_enough(project: Path, sink: str) -> None:
    assert notify(project).returncode == 0
    Sink.fails = 99
    failed = notify(project, NOTIFY_WEBHOOK=sink)
    assert failed.returncode == 1
    assert failed.stderr.count("did not take it: 500") == 3


# Scans


def sarif(*scores: str) -> dict[str, Any]:
    rules = [
        {"id": f"CVE-{n}", "properties": {"security-severity": s}} for n, s in enumerate(scores)
    ]
    results = [{"ruleId": r["id"], "message": {"text": f"in {r['id']}\nmore"}} for r in rules]
    driver = {"name": "a scanner", "rules": rules}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


@pytest.mark.parametrize(
    ("scores", "code", "said"),
    [
        ((), 0, "shop: 0 findings, 0 critical"),
        (("8.9", "3"), 0, "shop: 2 findings, 0 critical"),
        (("9.0", "1"), 1, "CVE-0 (9): in CVE-0\n"),
    ],
)
def test_a_critical_finding_fails(
    tmp_path: Path, scores: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "shop.sarif").write_text(json.dumps(sarif(*scores)))
    script = [sys.executable, ROOT / "scripts/ci/scan.py", "--gate", tmp_path]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout


def test_nothing_that_was_scanned_does_not_pass(tmp_path: Path) -> None:
    script = [sys.executable, ROOT / "scripts/ci/scan.py", "--gate", tmp_path]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 2


# Metrics


def measured(project: Path, size: int, median: float, seconds: float) -> Any:
    home = project / ".cache/ci"
    home.mkdir(parents=True, exist_ok=True)
    times = {"stage": "build", "seconds": seconds, "ok": True}
    (home / "times.jsonl").write_text(json.dumps(times) + "\n")
    (home / "sizes.json").write_text(json.dumps({"jessy-core": size}))
    bench = project / "test-results/bench"
    bench.mkdir(parents=True, exist_ok=True)
    figures = {"core": [{"name": "parse", "median": median}]}
    (bench / "bench.json").write_text(json.dumps(figures))
    script = [sys.executable, "scripts/ci/metrics.py"]
    return subprocess.run(
        script, cwd=project, env=environ(project), capture_output=True, text=True, check=False
    )


@pytest.mark.requirement("T8.4")
def test_growth_is_named_and_fails(project: Path) -> None:
    for size in (100, 101, 99):
        assert measured(project, size, 20, 60).returncode == 0
    grown = measured(project, 112, 25, 65)
    assert grown.returncode == 1
    assert grown.stdout.splitlines()[1:] == [
        "grew by more than 10 %: bytes jessy-core: 100 -> 112 (+12 %)",
        "grew by more than 10 %: median core.parse: 20 -> 25 (+25 %)",
    ]
    history = (project / ".cache/metrics/history.jsonl").read_text().splitlines()
    assert len(history) == 4
    assert json.loads(history[-1])["figures"]["seconds build"] == 65


def test_no_figures_are_no_success(project: Path) -> None:
    script = [sys.executable, "scripts/ci/metrics.py"]
    done = subprocess.run(script, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 2

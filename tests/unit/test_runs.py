"""Which runs of this user are dead; their leases are ended at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible import constants

from maestro.host import lease
from maestro.host.layout import Layout
from maestro.play import runs

CLAIM = {
    "token": "t1",
    "by": "ada",
    "purpose": "deploy of v2",
    "release": "R2",
    "serves": "R1",
    "limit": 60,
    "timeout": 30,
    "armed": True,
    "run": "run-1",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "ANSIBLE_HOME", str(tmp_path))
    return tmp_path


def test_a_run_is_dead_when_its_process_is_gone(home: Path) -> None:
    own = runs.announce()
    assert own
    assert runs.dead() == []
    words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as other:
        started = runs._started(other.pid)
        facts = {"pid": other.pid, "started": started}
        (home / "maestro-runs/run-other").write_text(json.dumps(facts))
        assert runs.dead() == []
        other.communicate()
    assert runs.dead() == ["run-other"]


def test_another_process_with_the_number_of_a_dead_one_is_not_the_run(home: Path) -> None:
    runs.announce()
    facts = {"pid": os.getpid(), "started": "earlier"}
    (home / "maestro-runs/run-old").write_text(json.dumps(facts))
    assert runs.dead() == ["run-old"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_what_cannot_be_read_is_no_dead_run(home: Path, text: str) -> None:
    runs.announce()
    (home / "maestro-runs/run-bad").write_text(text)
    assert runs.dead() == []


@pytest.mark.parametrize(
    ("dead", "held"), [(["run-1"], False), (["run-0", "run-2"], True), ([], True), ([""], True)]
)
def test_the_lease_of_a_dead_run_expires_at_once(
    tmp_path: Path, dead: list[str], held: bool
) -> None:
    layout = Layout(tmp_path, "shop")
    lease.acquire(layout, CLAIM)
    lease.expire(layout, dead)
    found = lease.read(layout)
    assert found
    assert found.held is held
    if not held:
        with pytest.raises(lease.Lost):
            lease.beat(layout, CLAIM["token"])
        taken = lease.take_over(layout, "the next run")
        assert taken
        assert taken.armed
        lease.expire(layout, dead)
        found = lease.read(layout)
        assert found
        assert found.held, "the one that goes back is not the dead run"


def test_a_lease_without_a_run_is_ended_by_nobody(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "shop")
    lease.acquire(layout, {**CLAIM, "run": ""})
    lease.expire(layout, ["", "run-1"])
    found = lease.read(layout)
    assert found
    assert found.held


def test_a_lease_that_a_newer_program_wrote_can_be_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "shop")
    lease.acquire(layout, CLAIM)
    path = layout.home / "lease.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
    found = lease.read(layout)
    assert found
    assert found.by == "ada"


def test_who_ends_what_a_dead_run_left_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path, "shop")
    lease.acquire(layout, {**CLAIM, "by": lease.HOST, "run": ""})
    waited: list[float] = []
    monkeypatch.setattr(lease, "wait", lambda _, seconds: waited.append(seconds))
    lease.expire(layout, ["run-0"])
    assert waited == [90]


def test_who_looked_once_goes_on_with_what_was_seen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of a run do: each host's would look again otherwise."""
    monkeypatch.setattr(runs, "_mine", runs._Mine())
    runs.announce()
    facts = {"pid": os.getpid(), "started": "earlier"}
    (home / "maestro-runs/run-old").write_text(json.dumps(facts))
    runs.look()
    (home / "maestro-runs/run-later").write_text(json.dumps(facts))
    assert runs.dead() == ["run-old"]
    runs.begin()
    assert runs.dead() == ["run-later", "run-old"]

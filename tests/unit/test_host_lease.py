"""The lease of a stack on a host, with real files and real processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import lease, recovery, room, switch
from maestro.host.layout import Layout
from maestro.play import agent_archive

CLAIM: dict[str, Any] = {
    "token": "0123456789abcdef",
    "by": "jo@desk",
    "purpose": "deploy of v2",
    "release": "r2",
    "serves": "r1",
    "limit": 30,
    "timeout": 60,
    "armed": True,
}
CI = {**CLAIM, "token": "fedcba9876543210", "by": "ci"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The place of a stack."""
    return Layout(tmp_path, "shop")


def file(layout: Layout) -> Path:
    """The file the lease is in."""
    return layout.home / "lease.json"


def age(layout: Layout, seconds: float) -> None:
    """Let the last beat be so long ago."""
    then = time.time() - seconds
    os.utime(file(layout), (then, then))


def test_a_lease_is_taken_and_given_back(layout: Layout) -> None:
    assert lease.read(layout) is None
    assert lease.describe(layout) == {}
    taken = lease.acquire(layout, CLAIM)
    found = lease.describe(layout)
    assert found["held"] is found["armed"] is True
    assert found["by"] == "jo@desk"
    lease.release(layout, taken.token)
    assert not file(layout).exists()


def test_the_owner_is_named_to_whoever_comes_second(layout: Layout) -> None:
    first = lease.acquire(layout, CLAIM)
    with pytest.raises(MaestroError, match=r"(?s)jo@desk \(deploy of v2, since .*-e wait=SECONDS"):
        lease.acquire(layout, CI)
    lease.release(layout, "another token")
    assert lease.read(layout).token == first.token


def test_a_lease_that_was_given_up_says_so_instead_of_an_age(layout: Layout) -> None:
    first = lease.acquire(layout, CLAIM)
    assert not lease.describe(layout)["given_up"]
    lease.abandon(layout, first.token)
    assert lease.describe(layout)["given_up"]
    with pytest.raises(
        MaestroError, match=r"since \d\d:\d\d:\d\d UTC, given up\) was not finished"
    ):
        lease.acquire(layout, CI)


RACE = """
import sys, time
from pathlib import Path
from maestro.errors import MaestroError
from maestro.host import lease
from maestro.host.layout import Layout

claim = {"token": sys.argv[2], "by": sys.argv[2], "purpose": "deploy", "release": "r", "serves": "",
         "limit": 30, "timeout": 60, "armed": False}
print("ready", flush=True)
sys.stdin.readline()
try:
    lease.acquire(Layout(Path(sys.argv[1]), "shop"), claim)
except MaestroError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_at_once_one_gets_it(layout: Layout, expired: bool) -> None:
    if expired:
        lease.acquire(layout, {**CLAIM, "armed": False})
        age(layout, 31)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(layout.root), f"racer-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate()[0] for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 1, 1, 1, 1, 1]
    winner = f"racer-{[racer.returncode for racer in racers].index(0)}"
    assert lease.read(layout).by == winner
    assert all(winner in text for text in said if text)


def test_a_lease_that_does_not_beat_expires(layout: Layout) -> None:
    first = lease.acquire(layout, {**CLAIM, "limit": 20, "armed": False})
    age(layout, 25)
    assert not lease.read(layout).held
    lease.beat(layout, first.token)
    assert lease.read(layout).held
    age(layout, 15)
    assert lease.read(layout).held
    age(layout, 25)
    assert not lease.read(layout).held
    second = lease.acquire(layout, CI)
    with pytest.raises(lease.Lost, match="no longer this run's: ci"):
        lease.beat(layout, first.token)
    with pytest.raises(lease.Lost):
        lease.disarm(layout, first.token)
    assert lease.read(layout).token == second.token


@pytest.mark.parametrize(("seconds", "held"), [(29, True), (31, False), (-29, True), (-31, False)])
def test_a_clock_that_jumps_holds_no_lease_for_ever(
    layout: Layout, seconds: float, held: bool
) -> None:
    lease.acquire(layout, CLAIM)
    age(layout, seconds)
    assert lease.read(layout).held is held


def test_what_is_half_done_is_put_back_before_another_begins(layout: Layout) -> None:
    began = lease.acquire(layout, CLAIM).acquired
    age(layout, 31)
    with pytest.raises(MaestroError, match="not finished"):
        lease.acquire(layout, CI)
    taken = lease.take_over(layout, "the host")
    assert (taken.release, taken.serves, taken.armed) == ("r2", "r1", True)
    # What was made since then is the change's, and goes with it.
    assert taken.acquired == began
    assert lease.take_over(layout, "somebody else") is None
    lease.disarm(layout, taken.token)
    age(layout, 31)
    lease.acquire(layout, CI)


def test_a_held_lease_is_not_taken_over(layout: Layout) -> None:
    assert lease.take_over(layout, "the host") is None
    lease.acquire(layout, CLAIM)
    assert lease.take_over(layout, "the host") is None


def test_a_long_operation_beats_by_itself_and_hears_of_a_loss(layout: Layout) -> None:
    taken = lease.acquire(layout, {**CLAIM, "limit": 0.8})
    with lease.kept(layout, taken.token) as check:
        time.sleep(1.2)
        check()
        assert lease.read(layout).held
        os.truncate(file(layout), 0)
        file(layout).unlink()
        lease.acquire(layout, CI)
        with pytest.raises(lease.Lost):
            check()
    with pytest.raises(lease.Lost), lease.kept(layout, taken.token):
        raise AssertionError("an operation began without the lease")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": "only"}', "\x00\x00"])
def test_a_damaged_lease_keeps_others_out_no_longer_than_a_held_one(
    layout: Layout, text: str
) -> None:
    lease.acquire(layout, CLAIM)
    file(layout).write_text(text, encoding="utf-8")
    with pytest.raises(MaestroError, match=r"lease\.json is damaged"):
        lease.acquire(layout, CI)
    age(layout, lease.LIMIT + 1)
    assert lease.describe(layout)["held"] is False
    taken = lease.take_over(layout, "the host")
    assert (taken.armed, taken.release) == (False, "")
    lease.release(layout, taken.token)
    assert not file(layout).exists()


def test_a_claim_that_is_made_again_gets_the_same_lease(layout: Layout) -> None:
    assert lease.acquire(layout, CLAIM).token == lease.acquire(layout, CLAIM).token
    age(layout, 31)
    with pytest.raises(MaestroError, match="not finished"):
        lease.acquire(layout, CLAIM)


def test_one_operation_works_at_a_time(layout: Layout) -> None:
    lease.acquire(layout, {**CLAIM, "limit": 2})
    script = (
        "import sys, time; from pathlib import Path; from maestro.host import lease; "
        "from maestro.host.layout import Layout\n"
        "with lease.kept(Layout(Path(sys.argv[1]), 'shop'), sys.argv[2]):\n"
        "    print('working', flush=True); time.sleep(1.5)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", script, str(layout.root), CLAIM["token"]],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == "working\n"
    with lease.kept(layout, CLAIM["token"]):
        assert first.poll() is not None or first.wait(0.5) == 0


def test_a_frozen_operation_is_not_waited_for_for_ever(layout: Layout) -> None:
    lease.acquire(layout, {**CLAIM, "limit": 0.5, "timeout": 0.5})
    descriptor = os.open(layout.home / ".working", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    started = time.monotonic()
    with lease.kept(layout, CLAIM["token"]):
        assert 0.8 < time.monotonic() - started < 5
    os.close(descriptor)


def test_room_is_kept_until_the_way_back_needs_it(layout: Layout) -> None:
    kept = layout.home / ".room"
    lease.acquire(layout, CLAIM)
    assert kept.stat().st_blocks * 512 >= room.SIZE
    age(layout, 31)
    taken = lease.take_over(layout, "the host")
    assert not kept.exists()
    lease.release(layout, taken.token)
    lease.acquire(layout, CLAIM)
    lease.release(layout, CLAIM["token"])
    assert not kept.exists()


def test_no_lease_is_given_where_the_disk_is_full(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(MaestroError, match="less than 4 MiB of room"):
        lease.acquire(layout, CLAIM)
    assert not file(layout).exists()
    assert not (layout.home / ".room").exists()


def test_a_process_that_dies_holding_the_lock_keeps_nobody_out(layout: Layout) -> None:
    layout.home.mkdir()
    script = (
        "import fcntl, os, sys, time; f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); "
        "fcntl.flock(f, fcntl.LOCK_EX); print('locked', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(layout.home / ".lock")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    lease.acquire(layout, CLAIM)


def test_waiting_ends_with_the_lease_or_with_the_time(layout: Layout) -> None:
    lease.acquire(layout, {**CLAIM, "limit": 1, "armed": False})
    started = time.monotonic()
    lease.wait(layout, 0.2)
    assert time.monotonic() - started < 0.9
    assert lease.read(layout).held
    lease.wait(layout, 30)
    assert not lease.read(layout).held
    assert time.monotonic() - started < 5


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The host's program, as a host has it."""
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive.build())
    return path


def call(program: Path, layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as a host does: Python's own library, nothing of this project."""
    tools = layout.root / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tools}/said\n', encoding="utf-8")
    (tools / "systemctl").chmod(0o755)
    return subprocess.run(
        [sys.executable, "-I", "-S", str(program), "--root", str(layout.root), *words],
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_is_the_same_for_the_same_sources(program: Path) -> None:
    agent_archive.build.cache_clear()
    assert agent_archive.build() == program.read_bytes()


def test_another_source_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is told without the archive: another zlib packs the same sources otherwise."""

    def identity() -> str:
        agent_archive._sources.cache_clear()
        agent_archive.identity.cache_clear()
        return agent_archive.identity()

    before = identity()
    package = tmp_path / "maestro"
    shutil.copytree(agent_archive.PACKAGE, package)
    try:
        monkeypatch.setattr(agent_archive, "PACKAGE", package)
        assert identity() == before
        with (package / "host/lease.py").open("a") as file:
            file.write("# changed")
        assert identity() not in {before, ""}
    finally:
        monkeypatch.undo()
        assert identity() == before


def test_the_program_is_small(program: Path) -> None:
    assert program.stat().st_size < 400_000


def test_the_program_beats(program: Path, layout: Layout) -> None:
    taken = lease.acquire(layout, CLAIM)
    age(layout, 20)
    assert call(program, layout, "beat", "shop", taken.token).returncode == 0
    assert lease.read(layout).age < 10
    said = call(program, layout, "beat", "shop", "another")
    assert said.returncode == 1
    assert "no longer this run's" in said.stderr
    lease.release(layout, taken.token)
    assert call(program, layout, "beat", "shop", taken.token).returncode == 1


def test_the_switch_leaves_alone_what_is_held_and_ends_what_is_not(
    program: Path, layout: Layout
) -> None:
    lease.acquire(layout, {**CLAIM, "armed": False})
    assert call(program, layout, "switch").returncode == 0
    assert file(layout).exists()
    assert not (layout.root / "bin/said").exists()
    age(layout, 31)
    assert call(program, layout, "switch").returncode == 0
    assert not file(layout).exists()
    # Nobody holds anything: the timer has nothing to look at.
    assert "stop" in (layout.root / "bin/said").read_text(encoding="utf-8")


def test_a_release_that_cannot_be_put_back_yet_is_tried_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, str | None]] = []

    def put_back(_layout: Layout, staged: str, _timeout: float, serves: str, _check: Any) -> dict:
        calls.append((staged, serves))
        if len(calls) == 1:
            raise MaestroError("the Engine does not answer")
        return {"serves": serves, "restored": []}

    monkeypatch.setattr("maestro.host.put_back.put_back", put_back)
    monkeypatch.setattr(switch, "_systemctl", lambda *_: None)
    monkeypatch.setattr(recovery, "PAUSE", 0)
    lease.acquire(layout, {**CLAIM, "limit": 0.3})
    time.sleep(0.4)
    assert switch.main(layout.root) == 1
    assert "the Engine does not answer" in capsys.readouterr().err
    assert file(layout).exists()
    assert switch.main(layout.root) == 0
    assert calls == [("r2", "r1"), ("r2", "r1")]
    assert not file(layout).exists()


def test_the_file_tells_no_more_than_it_must(layout: Layout) -> None:
    lease.acquire(layout, CLAIM)
    assert set(json.loads(file(layout).read_text(encoding="utf-8"))) == {
        *CLAIM,
        *("acquired", "approved_by", "plan", "run", "yields"),
    }

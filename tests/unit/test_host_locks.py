"""Locks: who may take them, and what happens when one is held."""

from __future__ import annotations

import multiprocessing
import os
import stat
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from maestro.host import edge, locks


def hold(path: Path, has: Event, over: Event) -> None:
    with locks.held(path, 1, "it"):
        has.set()
        over.wait(10)


def test_a_lock_that_is_held_ends_in_a_message_and_not_in_waiting(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    has, over = context.Event(), context.Event()
    path = tmp_path / "locks/edge"
    other = context.Process(target=hold, args=(path, has, over))
    other.start()
    assert has.wait(10)
    began = time.monotonic()
    with pytest.raises(locks.Busy) as problem, locks.held(path, 0.3, "the edge"):
        pass
    assert 0.3 <= time.monotonic() - began < 2
    assert "changing the edge" in str(problem.value)
    assert "lslocks" in str(problem.value)
    over.set()
    other.join(10)
    with locks.held(path, 1, "the edge"):
        pass


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    has, over = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "locks/edge", has, over))
    other.start()
    assert has.wait(10)
    other.kill()
    other.join(10)
    with locks.held(tmp_path / "locks/edge", 2, "the edge"):
        pass


def test_nobody_else_may_read_and_so_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)
    # As a wide umask or an older program may have left it.
    (tmp_path / ".locks").mkdir(mode=0o755)
    (tmp_path / ".locks/edge").touch(mode=0o644)
    before = os.umask(0)
    try:
        with edge.locked():
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".locks").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".locks/edge").stat().st_mode) == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/edge").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(OSError, match="symbolic links"),
        locks.held(tmp_path / "locks/edge", 1, "the edge"),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()

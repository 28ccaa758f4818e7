"""What a killed playbook leaves behind: nothing that a host could take for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLAYBOOK = """
import multiprocessing, subprocess, sys, time
from maestro.play import orphaned

def worker():
    if sys.argv[2] == "follows":
        orphaned.end_with_playbook()
    child = subprocess.Popen(["sleep", "60"])
    with open(sys.argv[1], "w") as file:
        file.write(f"{multiprocessing.current_process().pid} {child.pid}\\n")
    child.wait()

multiprocessing.get_context("fork").Process(target=worker).start()
time.sleep(60)
"""


def runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("follows", [True, False])
def test_a_worker_and_its_connection_end_with_a_killed_playbook(
    tmp_path: Path, *, follows: bool
) -> None:
    file = tmp_path / "pids"
    words = [sys.executable, "-c", PLAYBOOK, str(file), "follows" if follows else "stays"]
    with subprocess.Popen(words) as playbook:
        while not file.exists() or not file.read_text().endswith("\n"):
            time.sleep(0.02)
        pids = [int(word) for word in file.read_text().split()]
        os.kill(playbook.pid, signal.SIGKILL)
    deadline = time.monotonic() + (20 if follows else 0.5)
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = [pid for pid in pids if runs(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert len(left) == (0 if follows else 2), "without it, both stay"

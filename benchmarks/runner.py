"""What the benchmarks share: commands in the project and on lab hosts, and how times are shown."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PLAYBOOK = str(PROJECT / ".venv/bin/ansible-playbook")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def run(
    *argv: str | Path,
    text: str | None = None,
    environ: Mapping[str, str] = os.environ,
    failed: str = "",
) -> str:
    """Run a command in the project; what it printed. Its failure ends the measurement.

    So does an output in which ``failed`` is found. ``text`` is its standard input.
    """
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        argv,
        cwd=PROJECT,
        env={**environ, "PATH": f"{PROJECT / '.venv/bin'}:{environ['PATH']}"},
        input=text,
        stdin=None if text is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0 or (failed and failed in done.stdout):
        sys.exit(f"{shlex.join(map(str, argv))} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def ssh(host: str, command: str, text: str | None = None) -> str:
    """Run a shell command on a lab host."""
    return run("ssh", "-F", ".lab/ssh_config", host, command, text=text)


def median(name: str, times: Sequence[float]) -> float:
    """Print and return the median of times (seconds), with their spread."""
    found = statistics.median(times)
    say(f"{name}: {found:.2f} s (of {len(times)}: {min(times):.2f} to {max(times):.2f} s)")
    return found

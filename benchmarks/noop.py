"""A deploy with nothing to do against a play of one task on the same hosts.

Both run in turn, so that whatever else the machine does meets both. Prints the medians
and their ratio; the promise is a ratio of at most 2.5. Arguments it does not know go to the deploy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ONE_TASK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""


def seconds(playbook: str, limit: str, *extra: str) -> float:
    """Wall time of one run, which must change nothing."""
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        [PROJECT / ".venv/bin/ansible-playbook", playbook, "-l", limit, *extra],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - started
    if done.returncode != 0 or "changed=1" in done.stdout:
        sys.exit(f"{playbook} did not end as a no-op:\n{done.stdout[-3000:]}{done.stderr}")
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("limit", nargs="?", default="staging")
    parser.add_argument("--rounds", type=int, default=5)
    options, more = parser.parse_known_args()
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as one_task:
        one_task.write(ONE_TASK)
        one_task.flush()
        runs = {"one task": (one_task.name, []), "no-op deploy": ("deploy.yml", more)}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for playbook, extra in runs.values():
            seconds(playbook, options.limit, *extra)  # opens the connections
        for _ in range(options.rounds):
            for name, (playbook, extra) in runs.items():
                times[name].append(seconds(playbook, options.limit, *extra))
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        spread = f"{min(times[name]):.2f} to {max(times[name]):.2f}"
        print(f"{name:<13} {median:.2f} s (of {options.rounds}: {spread} s)")  # noqa: T201 -- its output
    print(f"ratio {medians['no-op deploy'] / medians['one task']:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()

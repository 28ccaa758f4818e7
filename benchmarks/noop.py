"""A deploy with nothing to do against a play of one task on the same hosts.

Both run in turn, so that whatever else the machine does meets both. Prints the medians, and the
median of the ratios within the rounds. Arguments it does not know go to the deploy.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time

from runner import PLAYBOOK, median, run, say

PROMISED = 1.25  # times the play of one task, on one host
ONE_TASK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""


def seconds(playbook: str, limit: str, *extra: str) -> float:
    """Wall time of one run, which must change nothing."""
    started = time.monotonic()
    run(PLAYBOOK, playbook, "-l", limit, *extra, failed="changed=1")
    return time.monotonic() - started


def main() -> int:
    """Measure, print, and fail when it takes longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("limit", nargs="?", default="staging-1")
    parser.add_argument("--rounds", type=int, default=7)
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
    for name, found in times.items():
        median(name, found)
    ratios = [deploy / one for one, deploy in zip(*times.values(), strict=True)]
    ratio = statistics.median(ratios)
    say(f"ratio {ratio:.2f}, at most {PROMISED} is promised for one host")
    return int(ratio > PROMISED)


if __name__ == "__main__":
    sys.exit(main())

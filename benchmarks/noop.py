"""A deploy with nothing to do against a play of one task on the same hosts.

Both run in turn, so that whatever else the machine does meets both. Prints the medians
and their ratio; the promise is a ratio of at most 2.5. Arguments it does not know go to the deploy.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from runner import PLAYBOOK, median, run, say

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
    one, deploy = (median(name, found) for name, found in times.items())
    say(f"ratio {deploy / one:.2f}")


if __name__ == "__main__":
    main()

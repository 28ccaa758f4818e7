"""From the command to traffic on the old release: a rollback of Jessy, with the registry off.

Deploys the version that runs under a second name, goes back by `playbooks/rollback.yml`, and asks
each host's edge all the while. The time ends when every host answers with the old version and
none with the new one any more. Prints the times; the promise is a median of at most 5 s.
Needs the lab with Jessy (`make demo`).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time

import yaml
from runner import PLAYBOOK, PROJECT, median, run, ssh
from watch import Watch

ROUNDS = 3
LIMIT = 5.0  # seconds
STAGING = ("staging-1", "staging-2")
OTHER = "bench-rollback"


def play(name: str, *extra: str) -> None:
    """Run a playbook for Jessy on staging."""
    run(PLAYBOOK, name, "-l", "staging", *extra)


def version_of(answer: http.client.HTTPResponse) -> str:
    """Jessy's API says its version in its health."""
    return str(json.loads(answer.read()).get("version", "?"))


def once(ports: list[int], old: str) -> tuple[float, float]:
    """Seconds to traffic on the old release everywhere, and to the end of the command."""
    watches = [Watch(port, "/api/health", "localhost", version_of) for port in ports]
    with contextlib.ExitStack() as watching:
        for watch in watches:
            watching.enter_context(watch)
        started = time.monotonic()
        play("playbooks/rollback.yml")
        ended = time.monotonic() - started
    answered = [watch.changed(old) - started for watch in watches]
    problems = {found for watch in watches for _, found in watch.answers} - {old, OTHER}
    if problems:
        sys.exit(f"answers that were neither version: {', '.join(sorted(problems))}")
    return max(answered), ended


def main() -> int:
    """Measure, print, and fail when it takes longer than promised."""
    settings = yaml.safe_load((PROJECT / ".lab/settings.yml").read_text(encoding="utf-8"))
    ports = [settings["ports"][host]["http"] for host in STAGING]
    manifest = json.loads(ssh(STAGING[0], "cat /opt/maestro/jessy/current/release.json"))
    old = manifest["version"]
    if old == OTHER:
        sys.exit(f"{OTHER} serves already: deploy another version first")
    run("make", "images", f"VERSION={OTHER}")
    found = []
    for _ in range(ROUNDS):
        play("deploy.yml", "-e", f"version={OTHER}")
        ssh("registry", "systemctl stop docker-registry")
        try:
            found.append(once(ports, old))
        finally:
            ssh("registry", "systemctl start docker-registry")
    traffic, whole = zip(*found, strict=True)
    took = median("traffic on the old release", traffic)
    median("the whole command", whole)
    return int(took > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

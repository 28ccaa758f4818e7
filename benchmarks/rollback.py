"""From the command to traffic on the old release: a rollback of Jessy, with the registry off.

Deploys the version that runs under a second name, goes back by `playbooks/rollback.yml`, and asks
each host's edge all the while. The time ends when every host answers with the old version and
none with the new one any more. Prints the times; the promise is a median of at most 5 s.
Needs the lab with Jessy (`make demo`).
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

import yaml
from runner import PLAYBOOK, PROJECT, median, run, ssh

ROUNDS = 3
LIMIT = 5.0  # seconds
STAGING = ("staging-1", "staging-2")
OTHER = "bench-rollback"


def play(name: str, *extra: str) -> None:
    """Run a playbook for Jessy on staging."""
    run(PLAYBOOK, name, "-l", "staging", *extra)


class Watch:
    """Asks one host's edge for the version that answers, twenty times a second."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[float, str]] = []
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def changed(self, version: str) -> float:
        """When the last answer that was not ``version`` came; infinity if none was."""
        if not self.answers or self.answers[-1][1] != version:
            return float("inf")
        return max((at for at, found in self.answers if found != version), default=0.0)

    def _ask(self) -> None:
        while not self._stop.wait(0.05):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", "/api/health")
                found = json.loads(connection.getresponse().read()).get("version", "?")
                connection.close()
            except (OSError, ValueError, http.client.HTTPException) as error:
                found = type(error).__name__
            self.answers.append((time.monotonic(), found))


def once(ports: list[int], old: str) -> tuple[float, float]:
    """Seconds to traffic on the old release everywhere, and to the end of the command."""
    watches = [Watch(port) for port in ports]
    time.sleep(0.5)
    started = time.monotonic()
    try:
        play("playbooks/rollback.yml")
        ended = time.monotonic() - started
        time.sleep(0.5)
    finally:
        for watch in watches:
            watch.end()
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

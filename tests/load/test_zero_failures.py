"""No request fails while releases come, fail, go back and secrets change."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e import lab
from relay import Relay, edges

RATE = 200  # requests a second, half of them to each host
LONGEST = 3600  # seconds; the generator ends by itself then
# So that the generator does not measure itself: how late it may send a request at worst, in
# seconds, and how much of a core it may use. On two cores that are idle otherwise it takes 0.16.
LATE, CORE = 2.0, 0.5
JOBS = 10  # given to each host's worker before each step
# What happens, in this order.
SHORT = ("good", "unhealthy", "badsmoke", "rollback", "rotation")
TIMES = {"good": 10, "unhealthy": 5, "badsmoke": 5, "rollback": 10, "rotation": 5}


def steps(*, long: bool) -> list[str]:
    """The short form has one of each; the long one as many as `TIMES` says, mixed."""
    if not long:
        return list(SHORT)
    left = dict(TIMES)
    order: list[str] = []
    while any(left.values()):
        for name in ("good", "unhealthy", "rollback", "badsmoke", "good", "rotation", "rollback"):
            if left[name]:
                left[name] -= 1
                order.append(name)
    return order


@contextmanager
def load(
    report: Path,
    stack: str = "relay",
    rate: int = RATE,
    hosts: tuple[str, ...] = lab.STAGING,
    name: str = "",
) -> Iterator[Callable[[], dict]]:
    """Requests from the generator, which runs in a process of its own until it is told to end.

    ``name`` is the one that is asked for; without it the stack's.
    """
    argv = [sys.executable, "tests/load/generator.py", "--ca", ".lab/ca.crt", "--stack", stack]
    for edge in edges(*hosts):
        argv += ["--edge", edge]
    argv += ["--rate", str(rate), "--seconds", str(LONGEST), "--report", str(report)]
    argv += ["--host", name] if name else []
    with report.with_suffix(".txt").open("w") as said:
        process = subprocess.Popen(
            argv, cwd=lab.PROJECT, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True
        )

    def ended() -> dict:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        return json.loads(report.read_text())

    try:
        time.sleep(2)
        assert process.poll() is None, report.with_suffix(".txt").read_text()
        yield ended
    finally:
        process.kill()
        process.wait()


class Story:
    """One step after the other, each of which must end as it should."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.serves = "v1"
        self.log: list[str] = []

    def take(self, step: str) -> None:
        """Give jobs to the workers, then do what the step is called."""
        for host in lab.STAGING:
            self.relay.give_jobs(host, JOBS)
        begun = time.monotonic()
        getattr(self, step)()
        took = time.monotonic() - begun
        self.log.append(f"{step:<10} {took:5.1f} s, {self.serves} serves")
        for host in lab.STAGING:
            assert lab.manifest(host, "relay")["version"] == self.serves

    def good(self) -> None:
        """A version that works."""
        self.serves = "v2" if self.serves == "v1" else "v1"
        said = " ".join(self.relay.deploy(self.serves).ok().out.split())
        counted = re.search(r"; (\d+) of (\d+) requests failed", said)
        assert counted, "the last line says what came of the requests"
        assert int(counted[1]) == 0 < int(counted[2])

    def unhealthy(self) -> None:
        """A version that never turns healthy."""
        self.relay.deploy("unhealthy-1").failed("is unhealthy")

    def badsmoke(self) -> None:
        """A version whose smoke check fails, after it has got the traffic."""
        self.relay.deploy("badsmoke-1").failed("smoke")

    def rollback(self) -> None:
        """Back to the release before, by hand."""
        target = lab.manifest(lab.STAGING[0], "relay")["previous"]
        listed = lab.ssh(lab.STAGING[0], f"cat /opt/maestro/relay/releases/{target}/release.json")
        self.relay.play("playbooks/rollback.yml", "-e", f"to={target}").ok()
        self.serves = json.loads(listed)["version"]

    def rotation(self) -> None:
        """Another value of the secret."""
        self.relay.new_key()
        self.relay.play("playbooks/rotate_secrets.yml").ok()


def watchdog_restarts(host: str) -> int:
    """How often the watchdog restarted a container of the stack, ever."""
    return int(lab.ssh(host, "grep -c 'restart of ' /opt/maestro/.history/relay.jsonl || true"))


@pytest.mark.alone
def test_no_request_fails_and_no_job_is_lost(
    relaying: Relay, long: bool, show: Callable[[str, str], None], tmp_path: Path
) -> None:
    story = Story(relaying)
    order = steps(long=long)
    restarts = [watchdog_restarts(host) for host in lab.STAGING]
    failed = ""
    with load(tmp_path / "report.json") as end:
        try:
            for step in order:
                story.take(step)
        except AssertionError as error:
            failed = str(error)
        report = end()
    counted = ", ".join(f"{count} {name}" for name, count in Counter(order).items())
    said = (tmp_path / "report.txt").read_text()
    show(f"load: {counted}", "\n".join([*story.log, said]))
    assert not failed, failed
    assert report["failures"] == []
    now = [watchdog_restarts(host) for host in lab.STAGING]
    assert now == restarts, "the watchdog does not interfere"
    for host in lab.STAGING:
        answered = set(report["versions"][host])
        assert {"v1", "v2"} <= answered, "the traffic went from one version to the other"
        assert "unhealthy-1" not in answered, "a version that is not healthy gets no request"
        assert relaying.lost_jobs(host) == 0
    assert report["requests"] >= 0.95 * RATE * report["seconds"] - RATE * 5
    assert report["late"] < LATE
    assert report["cpu"] < CORE

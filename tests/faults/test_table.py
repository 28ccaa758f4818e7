"""Every step of a deploy, struck by every fault: the host serves one release wholly, by itself."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from counter import Counter, registry_password, write_secret
from e2e import lab
from e2e.whole import Seen, look, until_whole, within
from faults.faults import FAULTS, STEPS, Fault, Step

LIMIT = 20  # seconds without a beat after which a host goes back by itself
# What going back takes on a busy machine; a host that restarts needs its time as well.
SLACK = 60
VERSIONS = ("v1", "v2")
SHORT = (
    ("roll", "controller killed"),
    ("roll", "host restarted"),
    ("roll", "Engine restarted"),
    ("stage", "disk full"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one cell; ``problems`` is empty when all is as promised."""

    step: str
    fault: str
    serves: str = ""
    seconds: float = 0
    play: str = ""
    problems: tuple[str, ...] = ()

    def text(self) -> str:
        """The cell as the table shows it."""
        if self.problems:
            return "FAILED"
        return f"{self.serves} {self.seconds:.0f} s"


@dataclass
class Cells:
    """The cells one host goes through, one after the other."""

    host: str
    stack: Counter

    def run(self, step: Step, fault: Fault) -> Outcome:
        """Deploy the other version, strike, see what the host serves, and deploy again."""
        before = look(self.host)
        if before.wrong:
            self.mend()
            before = look(self.host)
        target = next(version for version in VERSIONS if version != before.version)
        self.renew(target)
        fault.prepare(self.host)
        play = lab.Playing("deploy.yml", *self.said(target))
        try:
            play.until(step.task)
            time.sleep(step.seconds)
            struck = time.monotonic()
            fault.strike(self.host, play)
            ended = play.end(300)
            seen = until_whole(self.host, max(LIMIT + SLACK - (time.monotonic() - struck), 1))
            outcome = Outcome(
                step.name,
                fault.name,
                "old" if seen.release == before.release else "new",
                time.monotonic() - struck,
                "killed" if ended.rc < 0 else f"exit code {ended.rc}",
            )
            problems = [f"not whole: {problem}" for problem in seen.wrong]
            if ended.rc == 0 and outcome.serves == "old":
                problems.append("the play ended well, and the old release keeps running")
            if problems:
                problems.append(f"the play said:\n{ended.out[-3000:]}")
        except (AssertionError, OSError) as error:
            return Outcome(step.name, fault.name, problems=(str(error),))
        finally:
            play.kill()
            fault.heal(self.host)
        problems += self.again(target, before)
        return replace(outcome, problems=tuple(problems))

    def said(self, version: str) -> list[str]:
        """The words of a deploy to this host alone."""
        options = ("-e", f"version={version}", "-e", f"deploy_lease_limit={LIMIT}")
        return ["-l", self.host, *self.stack.arguments(*options)]

    def renew(self, version: str) -> None:
        """Let every step have work: a new secret, and an image that is not there."""
        self.stack.token = f"sentinel-{secrets.token_hex(16)}"
        write_secret(self.stack.secrets / "staging/counter/app_token", self.stack.token)
        within(
            self.host,
            "sh",
            "-c",
            "docker images --digests --format '{{.Repository}} {{.ID}}' | "
            "awk '$1 ~ /counter-web/ {print $2}' | sort -u | xargs -r docker rmi -f",
            check=False,
        )

    def again(self, version: str, before: Seen) -> list[str]:
        """The next deploy goes in without a manual step, and nothing is lost."""
        run = lab.playbook("deploy.yml", *self.said(version), "-e", f"wait={LIMIT + SLACK}")
        if run.rc:
            return [f"the next deploy failed:\n{run.out[-3000:]}"]
        # A busy machine lets a health check time out now and then.
        seen = until_whole(self.host, SLACK)
        problems = [f"after the next deploy: {problem}" for problem in seen.wrong]
        if seen.version != version:
            problems.append(f"the next deploy left {seen.version}")
        if seen.hits <= before.hits or seen.migrations < before.migrations:
            problems.append("data of the store was lost")
        if not self.stack.answer(self.host, "/token", "-H", f"X-Token: {self.stack.token}")["same"]:
            problems.append("the service has another secret than the newest")
        return problems

    def mend(self) -> None:
        """Begin anew after a cell that failed, so that the next tells of itself alone."""
        lab.playbook("deploy.yml", *self.said("v1"), "-e", f"wait={LIMIT + SLACK}").ok()


def table(outcomes: Sequence[Outcome]) -> str:
    """Steps down, faults across: what serves afterwards, and how soon after the fault."""
    faults = [fault.name for fault in FAULTS if any(o.fault == fault.name for o in outcomes)]
    rows = [["step", *faults]]
    for step in STEPS:
        cells = {o.fault: o.text() for o in outcomes if o.step == step.name}
        if cells:
            rows.append([step.name, *(cells.get(fault, "") for fault in faults)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


@pytest.fixture
def stacks(counter: Counter, tmp_path: Path) -> list[Cells]:
    """The stack on each staging host with secrets of its own, in version v1."""
    found = []
    for host in lab.STAGING:
        home = tmp_path / host
        write_secret(home / "staging/counter/app_token", counter.token)
        write_secret(home / "staging/common/registry_password", registry_password())
        found.append(Cells(host, Counter(home, counter.token)))
        lab.playbook("deploy.yml", *found[-1].said("v1")).ok()
    return found


def test_a_host_serves_one_release_wholly_whatever_happens(
    stacks: list[Cells], long: bool, show: Callable[[str, str], None]
) -> None:
    wanted = [
        (step, fault)
        for fault in FAULTS
        for step in STEPS
        if long or (step.name, fault.name) in SHORT
    ]

    def every_other(number: int) -> list[Outcome]:
        return [stacks[number].run(*cell) for cell in wanted[number :: len(stacks)]]

    with ThreadPoolExecutor(len(stacks)) as pool:
        outcomes = list(itertools.chain(*pool.map(every_other, range(len(stacks)))))
    show(f"what serves after a fault, and how soon (limit {LIMIT} s)", table(outcomes))
    failed = [
        f"{outcome.step} x {outcome.fault} ({outcome.play}): " + "\n".join(outcome.problems)
        for outcome in outcomes
        if outcome.problems
    ]
    assert not failed, "\n\n".join(failed)

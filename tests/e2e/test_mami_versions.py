"""Mami in another version: what a change keeps, and what fails and goes back while requests come.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e import lab
from load.test_zero_failures import load
from mami_stack import (
    BROKEN,
    FIRST,
    HOST,
    KEPT,
    NAME,
    SECOND,
    break_version,
    deploy,
    facts,
    history,
    play,
    version,
)  # fmt: skip

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

RATE = 100  # requests a second


@dataclass(frozen=True)
class Step:
    """A change, the words of its error (none: it succeeds), and what serves afterwards."""

    version: str
    serves: str
    words: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def take(self) -> str:
        """Do it; a line for the report."""
        began = time.monotonic()
        if self.version == "rollback":
            play("playbooks/rollback.yml").ok()
        else:
            run = deploy(self.version, **self.variables)
            _ = run.failed(*self.words) if self.words else run.ok()
        took = time.monotonic() - began
        assert version() == self.serves
        what = next(iter(self.variables), self.version)
        return f"{what:<20} {took:5.1f} s, {self.serves} serves"


STEPS = (
    Step(SECOND, SECOND),
    # A migration that fails: nothing of what runs is touched.
    Step(BROKEN, SECOND, ("the migration to the revision 0003 failed",)),
    Step("rollback", FIRST),
    # Values that the program refuses, by their type and by their range.
    Step(FIRST, FIRST, ("LLM_TIMEOUT", "valid number"), {"LLM_TIMEOUT": "soon"}),
    Step(
        FIRST,
        FIRST,
        ("UPLOAD_MAX_BYTES", "greater than or equal to 1024"),
        {"UPLOAD_MAX_BYTES": "1"},
    ),
    # It starts, is not ready, and gets no request.
    Step(FIRST, FIRST, ("mami-ai", "is unhealthy", "not ready"), {"REDIS_HOST": "nowhere.test"}),
    Step(SECOND, SECOND),
    Step(FIRST, FIRST),
    # Ten rolls of the API with the next ones.
    Step(SECOND, SECOND),
    Step("rollback", FIRST),
    Step(SECOND, SECOND),
    Step(FIRST, FIRST),
)


@pytest.mark.alone
@pytest.mark.requirement("G18.5")
def test_no_request_fails_while_versions_come_fail_and_go_back(
    show: Callable[[str, str], None], tmp_path: Path
) -> None:
    break_version()
    before = lab.containers(HOST, "mami")
    started = facts("elasticsearch")["State"]["StartedAt"]
    known = len(history())
    log: list[str] = []
    failed = ""
    with load(tmp_path / "report.json", "mami", rate=RATE, hosts=(HOST,), name=NAME) as end:
        try:
            log.extend(step.take() for step in STEPS)
        except AssertionError as error:
            failed = str(error)
        report = end()
    show("load: Mami", "\n".join([*log, (tmp_path / "report.txt").read_text()]))
    assert not failed, failed
    assert report["failures"] == []
    events = history()[known:]
    assert not [one for one in events if one["what"].startswith("restart of ")], "the watchdog's"
    assert report["requests"] >= 0.95 * RATE * report["seconds"] - RATE * 5
    after = lab.containers(HOST, "mami")
    assert {name for name in after if after[name] == before[name]} - {"migrate"} == KEPT
    assert facts("elasticsearch")["State"]["StartedAt"] == started

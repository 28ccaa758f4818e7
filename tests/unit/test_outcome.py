"""The last line of a run, and what is said after Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from maestro.play.outcome import Outcome
from maestro.play.story import Story

if TYPE_CHECKING:
    from maestro.records import Closing

FACTS: Closing = {
    "stack": "shop",
    "version": "v2",
    "before": "v1",
    "release": "R2",
    "purpose": "deploy of v2",
    "moved": {"replaced": ["web", "api"]},
    "urls": ["https://shop.example.org"],
}
BOTH = ["a", "b"]
DONE = (
    "Done: shop: deploy of v2{}; v1 -> v2; release R2; replaced web, api; "
    "https://shop.example.org (3 s)"
)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            Outcome(FACTS, BOTH, leased=BOTH, committed=BOTH),
            DONE.format(" on a, b"),
        ),
        (
            Outcome(FACTS, ["a"], leased=["a"], committed=["a"], requests={"a": (1, 40)}),
            DONE.format(" on a").replace("https", "1 of 40 requests failed; https"),
        ),
        (Outcome(FACTS, []), "Done: shop v2: nothing to change (3 s)"),
        (Outcome(FACTS, BOTH), "Planned: deploy of v2: would change a, b (3 s)"),
        (
            Outcome(FACTS, BOTH, failed=["a"]),
            "REFUSED: shop: deploy of v2; nothing was changed (3 s)",
        ),
        (
            Outcome(FACTS, BOTH, leased=BOTH, back={"a": "R1", "b": "R1"}, failed=BOTH),
            "FAILED: shop: deploy of v2; release R1 is running on a, b (3 s)",
        ),
        (
            Outcome(FACTS, BOTH, leased=BOTH, back={"a": ""}, failed=["a"], lost=["b"]),
            "FAILED: shop: deploy of v2 on a, b; b goes back within 70 s without your help (3 s)",
        ),
        (Outcome(), "Done: Play: nothing changed (3 s)"),
        (Outcome(changed=["a"]), "Done: Play: changed a (3 s)"),
        (Outcome(failed=["a"]), "FAILED: Play on a; nothing was changed (3 s)"),
        (Outcome(changed=["a"], lost=["a"]), "FAILED: Play on a (3 s)"),
    ],
)
def test_a_run_ends_with_one_line(outcome: Outcome, line: str) -> None:
    assert outcome.closing("Play", 3.2) == line


def test_after_an_interruption_it_is_said_what_is_half_done() -> None:
    outcome = Outcome(FACTS, BOTH, limit=60, leased=BOTH, committed=["b"])
    said = outcome.interrupted("Replace services", "ansible-playbook deploy.yml -l staging")
    assert said.splitlines() == [
        "Interrupted during: Replace services",
        "  half done: deploy of v2 of shop on a",
        "  it goes back by itself to what served before, within 70 s",
        "  -> to deploy again at once, without waiting, type the same command:",
        "     ansible-playbook deploy.yml -l staging",
        "  -> to see what is running:",
        "     ansible-playbook maestro.stacks.status -l a -e stack=shop",
    ]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome(FACTS, BOTH), "Interrupted during: X: nothing was changed."),
        (
            Outcome(FACTS, BOTH, leased=BOTH, committed=BOTH),
            "Interrupted during: X: the change was finished.",
        ),
        (
            Outcome(FACTS, ["a"], leased=["a"], back={"a": "R1"}),
            "Interrupted during: X: the release before is running.",
        ),
        (
            Outcome(changed=["a"]),
            "Interrupted during: X: a changed; the same command goes on from there.",
        ),
    ],
)
def test_an_interruption_that_leaves_nothing_half_done(outcome: Outcome, line: str) -> None:
    assert outcome.interrupted("X", "") == line


@pytest.mark.parametrize("step", ["lease", "begin", "bring"])
def test_a_change_that_was_carried_out_is_no_plan(step: str) -> None:
    """Whichever step took the lease; the one of a single host exchanges the services as well."""
    story = Story(lambda *_, **__: None, str, "")
    requests = {"failed": 0, "all": 40}
    steps = {
        "maestro.stacks.plan": {"closing": FACTS, "changing": ["a"]},
        f"maestro.stacks.{step}": {"changed": True, "token": "t", "requests": requests},
        "maestro.stacks.commit": {"changed": True},
    }
    for name, result in steps.items():
        story.task("Step", name, once=False)
        story.started("a")
        story.ok("a", result)
    line = DONE.format(" on a").replace("https", "0 of 40 requests failed; https")
    assert story.outcome.closing("Play", 3.2) == line


@pytest.mark.parametrize("step", ["begin", "bring"])
def test_an_interruption_while_hosts_work_says_what_may_be_half_done(step: str) -> None:
    """They have not answered yet, and may have the lease."""
    said: list[str] = []
    story = Story(lambda text, **_: said.append(text), str, "ansible-playbook deploy.yml")
    story.task("Decide the plan", "maestro.stacks.plan", once=True)
    story.started("a")
    story.ok("a", {"closing": FACTS, "changing": ["a"]})
    story.task("Bring it in", f"maestro.stacks.{step}", once=False)
    story.started("a")
    story.interrupted()
    text = "\n".join(said)
    assert "half done" in text
    assert "nothing was changed" not in text

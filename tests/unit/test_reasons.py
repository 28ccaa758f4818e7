"""Reasons of a plan: data that is compared, and words that are only shown."""

from __future__ import annotations

import pytest

from maestro.plan import compare, reasons
from maestro.plan.reasons import Reason
from maestro.plan.records import REPLACE, Step

NAMES = {value for name, value in vars(reasons).items() if name.isupper()}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_reason_has_words(name: str) -> None:
    about = ("pid",) if name.startswith("owner-") else ("web",)
    text = reasons.shown(Reason(name, about, "old", "new"))
    assert "None" not in text
    assert text.removesuffix(" old -> new") != name or name == reasons.DONE


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("command"), "command"),
        (Reason("environment", ("A", "B")), "environment A, B"),
        (
            Reason("image", (), "v1 (sha256:1)", "v2 (sha256:2)"),
            "image v1 (sha256:1) -> v2 (sha256:2)",
        ),
        (Reason(reasons.REPLICAS, (), "1", "0"), "1 -> 0 containers"),
        (Reason(reasons.STOPPED, (), "exited (code 3)", "running"), "is exited (code 3)"),
        (
            Reason(reasons.OWNER_GONE, ("ipc",)),
            "holds the shared memory of a container that is gone",
        ),
    ],
)
def test_a_reason_reads_as_an_operator_says_it(reason: Reason, text: str) -> None:
    assert reasons.shown(reason) == text


def test_a_step_is_judged_by_the_names_of_its_reasons() -> None:
    step = Step(REPLACE, "web", (Reason("image"), Reason(reasons.CUT_OFF, ("back",))))
    assert step.because(reasons.CUT_OFF)
    assert compare.recreates(step)
    assert not compare.recreates(Step(REPLACE, "web", (Reason("image"),)))

"""The way of a service to its step in the plan, as docs/architecture.md has it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType

import stack_models as models

from maestro.plan import deploy
from maestro.plan.records import Step
from maestro.plan.wanted import Inputs

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"
CALLS, MODULES = 12, 4


def documented() -> list[str]:
    """``FILE FUNCTION`` in the order of the page."""
    text = PAGE.read_text()
    section = text.partition("## From a service to its step\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+\.py)` ([^|]+) \|", section, re.MULTILINE)
    return [f"{file} {name}" for file, names in rows for name in re.findall(r"`(\w+)`", names)]


def test_a_service_becomes_a_step_in_few_calls() -> None:
    walk = documented()
    assert len(walk) <= CALLS
    assert len({item.split()[0] for item in walk}) <= MODULES


def test_a_service_goes_the_documented_way() -> None:
    """Every function that makes or hands on what becomes of the service is on the page."""
    walk = documented()
    called, made_by = traced("web")
    assert [name for name in called if name in walk] == walk
    assert {caller for name, caller in called.items() if name in walk} <= {*walk, ""}
    assert made_by == {"plan/compare.py _step"}


def traced(service: str) -> tuple[dict[str, str], set[str]]:
    """Our functions in the order of their first call, each with ours that called it.

    Then those that make the step of a service which changed.
    """
    state = models.running(models.shop("v1"))
    state["model"] = models.shop("v2")
    state["resolved"] = models.images(state["model"])
    request = {**models.REQUEST, "git_commit": "0123abc", "version": "v2"}
    inputs = Inputs(request, {"a": state}, "a", "/opt/maestro", run=models.run())
    found: dict[str, str] = {}
    made_by: set[str] = set()
    made = Step.__init__.__code__

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        if frame.f_code is made:
            made_by.update({name_of(frame.f_back)} if frame.f_locals["service"] == service else ())
        elif name := name_of(frame):
            found.setdefault(name, name_of(frame.f_back))

    sys.setprofile(note)
    try:
        decision = deploy.decide(inputs)
    finally:
        sys.setprofile(None)
    assert [step.action for step in decision.plans[0].steps if step.service == service] == [
        "replace"
    ]
    return found, made_by


def name_of(frame: FrameType | None) -> str:
    """``FILE FUNCTION`` of one of ours; what stands inside a function belongs to it."""
    while frame and frame.f_code.co_name.startswith("<") and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is None or "/src/maestro/" not in frame.f_code.co_filename:
        return ""
    file = frame.f_code.co_filename.partition("/src/maestro/")[2]
    return f"{file} {frame.f_code.co_name}"

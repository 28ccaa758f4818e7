"""The front door: what `make help` shows is what there is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "Makefile", *sorted((ROOT / "make").glob("*.mk"))]
GREEN = "\x1b[32m"


def written(pattern: str) -> list[str]:
    """What stands in the makefiles."""
    found = (re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) for path in FILES)
    return [one for many in found for one in many]


@pytest.mark.requirement("D39")
def test_the_help_lists_every_target_with_its_text_in_colour() -> None:
    phony = {name for line in written(r"^\.PHONY: (.+)$") for name in line.split()}
    # A rule, whose names may be several; files that are made are no targets to type.
    rules = {name for names in written(r"^([a-z][\w -]*):(?![=:])") for name in names.split()}
    assert phony == rules
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, env={**os.environ, "FORCE_COLOR": "1", "NO_COLOR": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = re.findall(rf"^  {re.escape(GREEN)}([\w-]+) *\x1b\[0m +\S", done.stdout, re.MULTILINE)
    assert sorted(shown) == sorted(phony)


def test_every_file_with_long_tests_is_in_the_long_run() -> None:
    """`make test-long` names its files, because most of the others would only run once more."""
    (said,) = written(r"(?s)^TESTS_LONG = (.*?[^\\])$")
    named = {path for word in re.findall(r"tests/[^ )]+", said) for path in ROOT.glob(word)}
    there = {
        path
        for kind in ("e2e", "lint")
        for path in (ROOT / "tests" / kind).glob("test_*.py")
        if "pytest.mark.long" in path.read_text()
    }
    assert there
    assert there - named == set()

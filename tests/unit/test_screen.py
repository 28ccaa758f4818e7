"""Lines of a screen: at most 80 columns, and nothing of a word is lost."""

from __future__ import annotations

import pytest

from maestro.play import screen
from maestro.play.waiting import pending

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.mark.parametrize("start", ["", "  ", "    -> ", "        "])
def test_a_long_line_goes_on_below(start: str) -> None:
    lines = screen.wrapped(start + LONG, 40).splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == f"{start.strip()} {LONG}".strip()
    indent = len(start) - len(start.lstrip(" "))
    assert all(line.startswith(" " * (indent or 2)) for line in lines[1:])


def test_a_path_is_not_cut() -> None:
    path = "/" + "directory/" * 9
    assert path in screen.wrapped(f"it is in {path} there", 40).split()


def test_lines_that_fit_stay_as_they_are() -> None:
    text = "a  b\n    c   d\n\n  -> e"
    assert screen.wrapped(text, 40) == text


@pytest.mark.parametrize(("said", "columns"), [("120", 120), ("0", 80), ("x", 80), ("", 80)])
def test_columns_count_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, said: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert screen.width() <= columns
    if said == "120":
        assert screen.width() == columns


def test_what_is_waited_for_is_named() -> None:
    lines = (
        "web\trunning\tUp 2 seconds (health: starting)",
        "web\trunning\tUp 3 hours (healthy)",
        "api\trestarting\tRestarting (1) 3 seconds ago",
        "db\trunning\tUp 1 hour",
        "job\texited\tExited (0) 2 hours ago",
        "bad\trunning\tUp 9 seconds (unhealthy)",
    )
    assert pending("\n".join(lines)) == "api restarting, bad unhealthy, web starting"
    assert pending("") == ""

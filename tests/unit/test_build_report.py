"""What the report on the builds of Jessy's images calls a problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from jessy.build import LIMITS, SOURCES, Built, interleaved, problems

GOOD = Built(cold_seconds=60, warm_seconds=5, size_bytes=5_000_000, limit_bytes=50_000_000)


@pytest.mark.parametrize(
    ("image", "beside", "expected"),
    [
        (GOOD, True, []),
        (Built(60, 60, 1, 2), True, ["its cache is of no use"]),
        (Built(60, 5, 3, 2), True, ["has 3 bytes, of 2 at most"]),
        (GOOD, False, ["one after the other"]),
        (Built(1, 5, 3, 2), False, ["no use", "at most", "one after the other"]),
    ],
)
def test_a_report_names_what_is_wrong(image: Built, beside: bool, expected: list[str]) -> None:
    found = problems({"jessy-api": image}, beside=beside)
    assert len(found) == len(expected)
    assert all(words in line for words, line in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    ("order", "expected"), [("aabb", False), ("abab", True), ("aba", True), ("aaa", False)]
)
def test_builds_beside_each_other_are_seen_in_the_log(order: str, expected: bool) -> None:
    log = "".join(f"#{n} [{name} builder 1/9] RUN x\n#{n} DONE\n" for n, name in enumerate(order))
    assert interleaved(log, ["a", "b"]) is expected


def test_the_sources_that_are_changed_are_there() -> None:
    assert set(SOURCES) == set(LIMITS)
    home = Path(__file__).parents[2] / "docker/jessy"
    assert all((home / path).exists() for path in SOURCES.values())

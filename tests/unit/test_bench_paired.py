"""Which of two versions is slower, on a machine with noise."""

from __future__ import annotations

import random

import pytest
from jessy import page, paired


def measured(seed: int, change: float, rounds: int = 40) -> list[tuple[float, float]]:
    """Rounds of a noisy machine: slow phases that hit both of a pair, and outliers that hit one."""
    chance = random.Random(seed)
    pairs = []
    for _ in range(rounds):
        phase = chance.choice((1.0, 1.0, 1.4, 2.2))

        def once(time: float, phase: float = phase) -> float:
            outlier = chance.choice((3.0, 7.0)) if chance.random() < 0.1 else 1.0
            return time * phase * outlier * chance.gauss(1, 0.02)

        pairs.append((once(100), once(100 * change)))
    return pairs


def test_a_tenth_is_found_every_time() -> None:
    found = [paired.verdict(measured(seed, 1.1)) for seed in range(10)]
    assert [verdict.word for verdict in found] == ["slower"] * 10
    assert all(verdict.low < 1.1 < verdict.high for verdict in found)


def test_equal_versions_are_equal() -> None:
    words = [paired.verdict(measured(seed, 1.0)).word for seed in range(1000)]
    assert words.count("slower") <= 1


def test_what_became_faster_is_no_regression() -> None:
    assert paired.verdict(measured(1, 0.8)).word == "faster"


def test_the_interval_is_that_of_the_sign_test() -> None:
    # Tables of the sign test: 95 % of 20 rounds is the 6th smallest to the 6th largest.
    assert paired.rank(20, 0.95) == 6
    assert paired.rank(10, 0.95) == 2
    with pytest.raises(ValueError, match="5 rounds are too few"):
        paired.rank(5, 0.95)


def test_a_page_holds_its_graphs_and_loads_nothing() -> None:
    load = {
        "begun": 100.0, "clients": 8, "instances": {"a": 1, "b": 2}, "requests": 3, "failed": 0,
        "requests_per_second": 1.5, "milliseconds": {"p50": 1.0}, "by_second": [[0, 1.0], [1, 2.0]],
        "samples": [
            {"time": at, "cpu_percent": 1.0, "memory_bytes": 1e6, "network_bytes": 5.0}
            for at in (100.5, 101.5)
        ],
    }  # fmt: skip
    text = page.report({"core_ns": {"<one>": [1.0, 2.0]}, "api_ns": {"two": [3.0]}, "load": load})
    assert text.count("<svg") == 2 + 1 + 3
    assert "&lt;one&gt;" in text
    assert "2 instances" in text
    text += page.comparison({"seeded": paired.verdict(measured(1, 1.1))})
    assert '<span class="slower">slower</span>' in text
    assert "sign test" in text
    assert not [word for word in ("http:", "https:", "src=", "url(", "<script") if word in text]

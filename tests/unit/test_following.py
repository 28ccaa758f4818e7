"""Logs that are followed show each line once."""

from __future__ import annotations

from maestro.play.following import Follower

WEB = "web-1  | 2026-11-27T05:00:{:02}.123456789Z {}"


def test_each_line_is_shown_once() -> None:
    follower = Follower("10m", "100")
    one, two, late = WEB.format(10, "one"), WEB.format(12, "two"), WEB.format(11, "late")
    assert follower.new(f"{one}\n{two}") == "web-1  | one\nweb-1  | two"
    assert (follower.since, follower.tail) == ("2026-11-27T05:00:07Z", "all")
    assert follower.new(f"{one}\n{two}") == ""
    assert follower.new(f"{one}\n{late}\n{two}") == "web-1  | late", "another container's"
    assert follower.new(WEB.format(40, "three")) == "web-1  | three"
    assert follower.since == "2026-11-27T05:00:35Z"
    assert follower.new("") == ""


def test_the_same_words_at_another_time_are_new() -> None:
    follower = Follower("", "100")
    assert follower.new(WEB.format(1, "tick")) == "web-1  | tick"
    assert follower.new(f"{WEB.format(1, 'tick')}\n{WEB.format(2, 'tick')}") == "web-1  | tick"


def test_a_line_without_a_time_is_shown_as_it_is() -> None:
    assert Follower("", "1").new("no such container") == "no such container"

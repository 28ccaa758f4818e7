"""What went wrong is said once."""

from __future__ import annotations

import pytest

from maestro.play.told import Told, names, plain_name, reason

LOGS = (
    "service web: is unhealthy\nlast lines of web:\n    12:00:0{0} no database on {1}\n  -> mend it"
)


def test_hosts_that_failed_alike_are_told_together() -> None:
    failures = {
        "web-1": LOGS.format(1, "web-1"),
        "web-2": LOGS.format(2, "web-2"),
        "db-1": "no room on the disk",
    }
    assert Told().news(failures) == [
        (["web-1", "web-2"], failures["web-1"]),
        (["db-1"], failures["db-1"]),
    ]


def test_the_name_of_the_host_in_a_message_makes_no_difference() -> None:
    told = Told().news({"a": "a: 3 files\n  -> log in to a", "b": "b: 5 files\n  -> log in to b"})
    assert told == [(["a", "b"], "a: 3 files\n  -> log in to a")]


def test_hosts_that_run_different_releases_are_told_apart() -> None:
    failures = {host: f"release 20261127T04413{n}Z-3141 runs" for n, host in enumerate("ab")}
    assert Told().news(failures) == [(["a"], failures["a"]), (["b"], failures["b"])]


def test_nothing_is_said_twice() -> None:
    told = Told()
    told.news({"a": "service web: is unhealthy\n  -> mend it"})
    again = "service web: is unhealthy\n  -> mend it\nrelease 7 is running\n"
    assert told.news({"a": again, "b": again}) == [(["a", "b"], "release 7 is running")]
    assert told.news({"a": again}) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"msg": "no room"}, "no room"),
        ({"msg": "Task failed: Action failed: no room"}, "no room"),
        ({"msg": ["one", "two"]}, "one\ntwo"),
        ({"msg": "one\\ntwo"}, "one\ntwo"),
        ({}, "it failed without a word"),
        ({"msg": "non-zero return code", "stderr": "a\nb"}, "non-zero return code\n    a\n    b"),
        ({"msg": "no room: a", "stderr": "a"}, "no room: a"),
        ({"msg": "x", "module_stdout": "Traceback"}, "x\n    Traceback"),
        (
            {
                "msg": "One or more items failed",
                "results": [
                    {"failed": True, "msg": "no such key", "item": "one"},
                    {"failed": False, "msg": "fine", "item": "two"},
                    {"failed": True, "msg": "no such key", "item": {"a": 1}},
                ],
            },
            "one: no such key\nno such key",
        ),
    ],
)
def test_the_reason_is_what_was_said(result: dict[str, object], said: str) -> None:
    assert reason(result) == said


def test_many_hosts_are_counted() -> None:
    assert names(["a", "b"]) == "a, b"
    assert names([str(n) for n in range(9)]) == "0, 1, 2, 3, 4 and 4 more"


def test_a_name_shows_no_template() -> None:
    assert plain_name("Build {{ images_stack }} and push it") == "Build and push it"
    assert plain_name("Build << error 1 - 'x' is undefined >> now") == "Build now"

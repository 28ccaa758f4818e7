"""Several steps in one call: in their order, up to the first that fails, under one lease."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from maestro.host import lease, sequence, steps, switch, userns
from maestro.host.layout import Layout
from maestro.play import course, parts
from maestro.play import sequence as play_sequence

CLAIM: dict[str, Any] = {
    "token": "t1",
    "by": "somebody",
    "purpose": "a test",
    "release": "r1",
    "serves": "",
    "limit": 1,
    "timeout": 60,
    "armed": False,
}
WORK: dict[str, Any] = {
    "plan": {"pulls": [{"image": "registry.test:5000/web@sha256:1", "size": 1}]},
    "release": "r1",
    "compose": "services: {}",
    "configs": {},
    "reading": {},
    "secret_files": [{"name": "token"}, {"name": "key"}],
    "expect": {"release": "", "containers": []},
    "services": {"web": {}},
    "routes": [],
    "levels": [["web"]],
    "recreate": [],
    "remove_first": [],
    "networks": [],
    "smoke": [],
    "manifest": {"services": {}},
    "remove": ["old"],
}
HELD = {"root": "/opt/maestro", "stack": "shop", "lease": "t1"}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(userns, "here", lambda: userns.OFF)
    monkeypatch.setattr(switch, "set_up", lambda _: None)
    monkeypatch.setattr("maestro.host.containers.of_stack", lambda *_: [])
    return Layout(tmp_path / "maestro", "shop")


def said(layout: Layout) -> list[dict[str, Any]]:
    """Lease, release and the end of it, as a playbook sends them."""
    place = {"root": str(layout.root), "stack": "shop"}
    held = {**place, "lease": "t1"}
    nothing = {"request": {}, "files": [], "payload": '{"secrets": {}}'}
    return [
        {"step": part.name, "params": {"token": "", **part.params}}
        for part in (
            parts.lease(place, WORK, CLAIM),
            parts.Part("secrets", {**held, **nothing}),
            *parts.finish(held, 5),
        )
    ]


def test_steps_are_taken_in_one_call(layout: Layout) -> None:
    answers = sequence.take(said(layout))
    assert [answer.get("failed", False) for answer in answers] == [False, False, False]
    assert answers[0]["token"] == "t1"
    assert lease.read(layout) is None, "the last gave it back"


def test_the_first_that_fails_is_the_last(layout: Layout) -> None:
    given = said(layout)
    given[1]["params"]["lease"] = "another"
    answers = sequence.take(given)
    assert len(answers) == 2
    assert answers[1]["failed"]
    found = lease.read(layout)
    assert found
    assert found.token == "t1", "whoever goes back has the lease"


def test_a_lease_lives_through_a_step_that_does_not_keep_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull is none that holds the lease, and may take longer than its limit."""
    held = []

    def pull(_layout: Layout, _params: object) -> dict[str, Any]:
        time.sleep(1.5)
        found = lease.read(layout)
        held.append(found is not None and found.held)
        return {"changed": True}

    monkeypatch.setitem(steps.STEPS, "pull", steps.Step(pull, {}))
    first, second, _ = said(layout)
    pulls = {"root": str(layout.root), "request": {"stack": "shop"}}
    sequence.take([first, {"step": "pull", "params": pulls}, second])
    assert held == [True]


def test_nothing_is_replaced_for_a_run_that_is_gone(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed: the release stays beside what runs, and its lease expires."""
    lease.acquire(layout, CLAIM)
    taken = []

    def step(name: str) -> steps.Step:
        return steps.Step(lambda *_: taken.append(name) or {"changed": True}, {})

    names = ["stage", "migrate", "up", "smoke"]
    for name in names:
        monkeypatch.setitem(steps.STEPS, name, step(name))
    params = {"root": str(layout.root), "stack": "shop", "lease": "t1"}
    given = [{"step": name, "params": params} for name in names]
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb") as ours:
        monkeypatch.setattr(sequence, "_STDOUT", ours.fileno())
        sequence.take(given)
        assert taken == names
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as ours:
        monkeypatch.setattr(sequence, "_STDOUT", ours.fileno())
        taken.clear()
        staged, gone = sequence.take(given)
        assert (staged["changed"], gone["failed"], gone["msg"]) == (True, True, sequence.GONE)
        assert taken == ["stage"]
        # Where it stands first, the call was made for it alone, and its answer tells.
        taken.clear()
        sequence.take(given[2:])
        assert taken == ["up", "smoke"]


def test_an_end_that_nobody_heard_of_is_not_a_failure(layout: Layout) -> None:
    """The connection broke after the lease was given back, and the call is made anew."""
    place = {"root": str(layout.root), "stack": "shop"}
    held = {**place, "lease": "t1"}
    found = [*parts.commit(held, WORK, "update", 1), *parts.finish(held, 5)]
    given = [{"step": part.name, "params": part.params} for part in found]
    assert "is no longer this run's" in sequence.take(given)[0]["msg"]
    layout.release("r1").mkdir(parents=True)
    (layout.release("r1") / "release.json").write_text("{}")
    layout.current.symlink_to("releases/r1")
    assert sequence.take(given) == [{"changed": False, "removed": []}]
    lease.acquire(layout, {**CLAIM, "token": "t2"})
    assert sequence.take(given)[0]["failed"], "somebody else changes the stack"


@pytest.mark.parametrize(
    ("kind", "work", "expected"),
    [
        ("update", {}, ["pull", "stage", "secrets"]),
        ("update", {"plan": {"pulls": []}}, ["stage", "secrets"]),
        ("update", {"secret_files": []}, ["pull", "stage"]),
        ("rollback", {"plan": {"pulls": []}}, ["stage"]),
    ],
)
def test_a_fetch_has_only_the_steps_it_needs(
    kind: str, work: dict[str, Any], expected: list[str]
) -> None:
    asked: list[object] = []
    found = parts.fetch(
        HELD, {**WORK, **work}, kind, {"stack": "shop"}, lambda names: asked.append(names) or "{}"
    )
    assert [part.name for part in found] == expected
    by_name = {part.name: part.params for part in found}
    # Secrets and the registry's login are never in one payload.
    wanted = {"pull": None, "secrets": {"token", "key"}}
    assert asked == [wanted[name] for name in expected if name in wanted]
    assert by_name["stage"]["secrets"] == (
        [] if kind == "update" else {**WORK, **work}["secret_files"]
    )


def test_a_roll_makes_smoke_checks_where_there_are_any() -> None:
    how = {"kind": "update", "together": False, "canary": True, "timeout": 1, "settle": 1}
    (up,) = parts.roll(HELD, WORK, how)
    assert set(steps.STEPS["up"].specification()) == set(up.params)
    _, smoke = parts.roll(HELD, {**WORK, "smoke": [{"tcp": {"port": 1}}]}, how)
    assert set(steps.STEPS["smoke"].specification()) == set(smoke.params)


def test_a_commit_has_what_its_step_takes() -> None:
    (commit,) = parts.commit(HELD, WORK, "update", 1)
    assert set(steps.STEPS["commit"].specification()) == set(commit.params)


def decided(**more: Any) -> Any:
    hosts = more.pop("changing", ["a", "b"])
    work = {host: {"plan": {"pulls": more.get("pulls", [])}} for host in hosts}
    return {"changing": hosts, "waves": [hosts], "migrates": False, "hosts": work, **more}


def files(found: list[Any]) -> list[str]:
    return [part["file"] for part in found]


SAME = {"a": {"agent": "1"}, "b": {"agent": "1"}}


@pytest.mark.parametrize(
    ("more", "states", "expected"),
    [
        ({}, SAME, ["begin", "wave", "commit", "finish"]),
        ({"changing": ["a"]}, SAME, ["bring", "commit"]),
        ({"changing": ["a"], "migrates": True}, SAME, ["bring", "commit"]),
        ({"migrates": True}, SAME, ["begin", "migrate", "wave", "commit", "finish"]),
        ({"waves": [["a"], ["b"]]}, SAME, ["begin", "wave", "wave", "commit", "finish"]),
        (
            {},
            {**SAME, "b": {"agent": "2"}},
            ["lease", "begin", "wave", "commit", "finish"],
        ),
        (
            {"changing": ["a"], "pulls": [{"image": "127.0.0.1:29147/shop@sha256:0"}]},
            SAME,
            ["send", "bring", "commit"],
        ),
        (
            {"changing": ["a"], "pulls": [{"image": "r.test/shop@sha256:0"}]},
            SAME,
            ["bring", "commit"],
        ),
        ({"changing": ["a"]}, {"a": {"agent": "2"}}, ["lease", "bring", "commit"]),
        (
            {"changing": ["a"]},
            {**SAME, "b": {"agent": "2"}},
            ["bring", "commit"],
        ),
    ],
)
def test_a_story_has_only_the_parts_it_needs(
    more: dict[str, Any], states: dict[str, Any], expected: list[str]
) -> None:
    assert files(course.parts(decided(**more), states, "1")) == expected


def test_every_part_waits_for_all_hosts_before_it() -> None:
    found = course.parts(decided(migrates=True, waves=[["a"], ["b"]]), SAME, "1")
    assert [(part["file"], part["gate"]["steps"]) for part in found] == [
        ("begin", ()),
        ("migrate", ["__deploy_lease"]),
        ("wave", ["__deploy_migrated"]),
        ("wave", ["__deploy_rolled"]),
        ("commit", ["__deploy_rolled"]),
        ("finish", ["__deploy_committed"]),
    ]
    assert {tuple(part["gate"]["hosts"]) for part in found[1:]} == {("a", "b")}


class Told(play_sequence.SequenceAction):
    """A task that tells in which order it does things; ``answers`` are the host's program's."""

    def __init__(self, answers: dict[str, Any] | None) -> None:
        self.told: list[str] = []
        self._answers = answers

    def parts(self, _args: Mapping[str, Any]) -> list[parts.Part]:
        place = {"root": "/opt/maestro", "stack": "shop"}
        finish = {"release": "r1", "checks": []}
        lease_part = parts.lease(place, WORK, CLAIM)
        lease_part.params["claim"] = {**CLAIM}
        return [lease_part, parts.Part("smoke", {**HELD, **finish})]

    def by_the_hosts_program(self, *_: Any) -> dict[str, Any] | None:
        self.told.append("program")
        return self._answers

    def by_module(self, name: str, *_: Any) -> dict[str, Any]:
        self.told.append(name)
        return {"changed": True, "token": "t1"}

    def beat(self, _args: Mapping[str, Any], token: str) -> None:
        self.told.append(f"beat {token}")

    @contextlib.contextmanager
    def watched(self, name: str, *_: Any) -> Iterator[None]:
        self.told.append(f"watch {name}")
        yield
        self.told.append("end")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            {"answers": [{"changed": True, "token": "t1"}, {"changed": False}]},
            "watch , program, end, beat t1",
        ),
        ({"answers": [{"failed": True, "msg": "held"}]}, "watch , program, end"),
        (
            None,
            "watch , program, end, watch lease, lease, end, beat t1, watch smoke, smoke, end",
        ),
    ],
)
def test_nobody_watches_while_the_process_that_beats_is_forked(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any] | None, expected: str
) -> None:
    """A watching thread opens pipes; the fork would keep them, and the thread wait for ever."""
    work = {"hosts": {"one": WORK}}
    monkeypatch.setattr(play_sequence.registered, "of", lambda *_: work)
    action = Told(answers)
    args = {"plan": "p", "root": "/opt/maestro", "stack": "shop"}
    action.step(args, {"inventory_hostname": "one"})
    assert ", ".join(action.told) == expected

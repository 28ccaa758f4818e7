"""The history of a host: what is kept of each event, and for how long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.host import journal, lease, leaving, release, steps, switch
from maestro.host.layout import Layout
from maestro.report import timeline

CLAIM = {
    "token": "t1",
    "by": "jo@desk",
    "purpose": "deploy of v2",
    "release": "r2",
    "serves": "r1",
    "limit": 60,
    "timeout": 60,
    "armed": True,
    "approved_by": "kim",
    "plan": "0123456789ab",
}

REST = {"remove": [], "kind": "update", "timeout": 1}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


def results(layout: Layout) -> list[tuple[str, str]]:
    return [(event["result"], event["message"]) for event in journal.read(layout, 100)]


def test_an_event_has_who_what_and_when(layout: Layout) -> None:
    journal.note(layout, CLAIM, journal.DONE)
    (event,) = journal.read(layout, 10)
    assert event.pop("at").endswith("Z")
    assert event == {
        "stack": "shop",
        "what": "deploy of v2",
        "result": "done",
        "by": "jo@desk",
        "approved_by": "kim",
        "plan": "0123456789ab",
        "release": "r2",
        "before": "r1",
        "message": "",
        "seconds": "",
    }
    journal.note(layout, {**CLAIM, "acquired": time.time() - 30}, journal.DONE)
    assert int(journal.read(layout, 1)[0]["seconds"]) >= 30


def test_it_is_for_root_alone_and_outlives_the_stack(layout: Layout) -> None:
    journal.note(layout, CLAIM, journal.DONE)
    path = journal.file(layout)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert layout.home not in path.parents
    assert journal.stacks(layout.root) == ["shop"]


def test_a_line_cut_short_and_one_of_another_version_lose_nothing_else(layout: Layout) -> None:
    journal.note(layout, CLAIM, journal.DONE)
    with journal.file(layout).open("a") as stream:
        stream.write('{"stack": "shop", "what": "a thing", "result": "done", "new": 1}\n')
        stream.write('[1]\n{"stack": "sho\n')
    journal.note(layout, CLAIM, journal.FAILED, "why")
    assert results(layout) == [("done", ""), ("done", ""), ("failed", "why")]


def test_a_long_history_drops_its_older_half(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 4000)
    for number in range(100):
        journal.note(layout, {**CLAIM, "purpose": str(number)}, journal.DONE)
    kept = [int(event["what"]) for event in journal.read(layout, 1000)]
    assert kept == list(range(kept[0], 100))
    assert 5 < len(kept) < 50
    assert journal.read(layout, 3)[-1]["what"] == "99"


def test_a_full_disk_stops_no_deploy(layout: Layout) -> None:
    layout.root.mkdir()
    (layout.root / ".history").write_text("in the way")
    journal.note(layout, CLAIM, journal.DONE)
    assert journal.read(layout, 10) == []


def take(layout: Layout, name: str, **params: object) -> dict[str, object]:
    given = {"root": str(layout.root), "stack": layout.stack, "lease": "t1", **params}
    return steps.take(name, given)


def test_the_steps_of_a_release_that_goes_in_keep_one_event(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease.acquire(layout, CLAIM)
    monkeypatch.setattr(leaving.Leaving, "remove", lambda *_: [])
    monkeypatch.setattr(release, "point", lambda *_: None)
    manifest = {"id": "r2", "services": {}}
    done = take(layout, "commit", release="r2", manifest=manifest, **REST)
    assert done["changed"]
    assert results(layout) == [("done", "")]


def test_a_failed_step_and_what_was_put_back_are_two_events(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MaestroError("it crashed", where="service web")

    lease.acquire(layout, CLAIM)
    monkeypatch.setattr("maestro.host.smoke.check", fail)
    assert take(layout, "smoke", release="r2", checks=[])["failed"]
    back = {"serves": "r1", "restored": ["web"]}
    monkeypatch.setattr("maestro.host.put_back.put_back", lambda *_, **__: back)
    take(layout, "put_back", release="r2", serves="r1", timeout=1, settle=1)
    assert results(layout) == [("failed", "service web: it crashed"), ("put back", "")]


def test_a_run_that_finds_the_stack_taken_is_refused(layout: Layout) -> None:
    lease.acquire(layout, CLAIM)
    other = {**CLAIM, "token": "t2", "by": "max@desk"}
    params = {"state": "acquired", "claim": other, "expect": {}, "token": ""}
    assert take(layout, "lease", **params)["failed"]
    ((result, why),) = results(layout)
    assert result == "refused"
    assert "is being changed by jo@desk" in why
    assert journal.read(layout, 1)[0]["by"] == "max@desk"


def test_what_the_hosts_own_switch_does_is_kept(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease.acquire(layout, {**CLAIM, "limit": 0})
    monkeypatch.setattr("maestro.host.put_back.put_back", lambda *_, **__: {})
    assert switch.recover(layout, switch.HOST) == "r1"
    (event,) = journal.read(layout, 10)
    assert (event["result"], event["by"], event["what"]) == (
        "put back",
        "the host's own switch",
        "deploy of v2",
    )


def test_the_same_event_on_several_hosts_is_one_line() -> None:
    event = {"at": "2026-01-01T00:00:00Z", "stack": "shop", "what": "deploy of v2"}
    events = {
        "a": [{**event, "result": "failed", "message": "one\ntwo"}],
        "b": [{**event, "result": "failed", "message": "one\ntwo"}],
        "c": [{**event, "at": "2026-01-02T00:00:00Z", "result": "done"}],
    }
    lines = timeline.table(events, ["d"]).splitlines()
    assert lines[0] == "d: cannot be reached"
    assert lines[2].split()[:3] == ["2026-01-01T00:00:00Z", "a,", "b"]
    assert lines[3:5] == ["    one", "    two"]
    assert lines[5].split()[:2] == ["2026-01-02T00:00:00Z", "c"]
    assert timeline.table({"a": []}) == "no events yet"


def test_the_file_is_json_line_by_line(layout: Layout) -> None:
    journal.note(layout, CLAIM, journal.DONE)
    journal.note(layout, CLAIM, journal.FAILED, "x" * 5000)
    lines = journal.file(layout).read_text().splitlines()
    assert [json.loads(line)["result"] for line in lines] == ["done", "failed"]
    assert len(json.loads(lines[1])["message"]) == journal.MESSAGE

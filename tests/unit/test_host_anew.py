"""Networks made anew, and canaries watched, decided from what an Engine and servers answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_engine import summary
from real_servers import Answer, http_server

from maestro.host import anew, canary, health
from maestro.host import labels as labels_of
from maestro.host.layout import Layout


class Networks:
    """An Engine with networks and containers on them."""

    def __init__(self, **ids: str) -> None:
        self.ids = ids
        self.removed: list[str] = []

    def networks(self) -> list[dict[str, Any]]:
        labels = {labels_of.PROJECT: "shop"}
        return [{"Name": name, "Id": key, "Labels": labels} for name, key in self.ids.items()]

    def containers(self, _label: str = "") -> list[dict[str, Any]]:
        on = {"NetworkSettings": {"Networks": {"shop_back": {}}}}
        return [summary("web", **on), summary("db", **on), summary("alone")]

    def remove_network(self, network: str) -> None:
        self.removed.append(network)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path, "shop")
    found.home.mkdir()
    return found


def test_what_is_on_a_network_goes_before_it_and_comes_back_whole(layout: Layout) -> None:
    stopped: list[Sequence[str]] = []
    there = Networks(shop_back="n1", shop_front="n2")
    anew.clear(layout, there, ["shop_back", "shop_gone"], stopped.append)
    assert stopped == [["db", "web"]]
    assert there.removed == ["n1"]
    # What was made since is removed on the way back; what was never noted stays.
    made = Networks(shop_back="n9", shop_front="n2")
    anew.undo(layout, made, stopped.append)
    assert made.removed == ["n9"]
    assert len(stopped) == 2
    anew.undo(layout, made, stopped.append)
    assert made.removed == ["n9"], "once"


def test_nothing_to_make_anew_touches_nothing(layout: Layout) -> None:
    there = Networks(shop_back="n1")
    anew.clear(layout, there, [], lambda _: pytest.fail("nothing is stopped"))
    anew.undo(layout, there, lambda _: pytest.fail("nothing is stopped"))
    assert there.removed == []
    assert list(layout.home.iterdir()) == []


def test_networks_only_older_releases_had_are_tidied(layout: Layout) -> None:
    release = layout.releases / "r2"
    release.mkdir(parents=True)
    (release / "release.json").write_text("{}")
    layout.current.symlink_to(release)
    kept = {
        "r1": {"names": {"networks": ["shop_old", "shop_back"]}},
        "r2": {"names": {"networks": ["shop_back"]}},
    }
    there = Networks(shop_back="n1", shop_old="n2", shop_other="n3")
    assert anew.tidy(layout, there, kept) == ["shop_old"]
    assert there.removed == ["n2"]


def prometheus(value: str) -> Any:
    series = [{"value": [0, value]}]
    body = {"data": {"resultType": "vector", "result": series}}
    return lambda _: Answer(200, json.dumps(body).encode())


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "watch", lambda *_: {})


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize(
    ("value", "bound", "words"),
    [
        ("0.5", {"below": 1}, ""),
        ("2", {"below": 1}, "is 2, not below 1"),
        ("2", {"above": 1}, ""),
        ("0", {"above": 1}, "is 0, not above 1"),
        ("NaN", {"below": 1}, "not below 1"),
    ],
)
def test_a_canary_is_judged_by_a_metric(value: str, bound: dict[str, float], words: str) -> None:
    with http_server(prometheus(value)) as server:
        check = {"prometheus": {"url": f"http://{server.address}", "query": "errors", **bound}}
        why = canary.watch(None, {}, {"duration": 0, "checks": [check]}, 80)
    assert words in why
    assert bool(why) == bool(words)


@pytest.mark.usefixtures("healthy")
def test_a_metric_that_nobody_answers_is_a_failure() -> None:
    with http_server(lambda _: Answer(200, b"[]")) as server:
        check = {"prometheus": {"url": f"http://{server.address}", "query": "errors", "below": 1}}
        why = canary.watch(None, {}, {"duration": 0, "checks": [check]}, 80)
    assert "the query errors got no answer" in why


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize(("status", "good"), [(200, True), (503, False)])
def test_a_canary_is_asked_itself(status: int, good: bool) -> None:
    with http_server(lambda _: Answer(status)) as server:
        host, _, port = server.address.rpartition(":")
        rule = {"duration": 0, "checks": [{"http": {"path": "/ready", "status": 200}}]}
        why = canary.watch(None, {"c1": host}, rule, int(port))
    assert (why == "") is good


def test_a_canary_that_turns_unhealthy_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "watch", lambda *_: {"c1": "is unhealthy while it was monitored"})
    assert "unhealthy" in canary.watch(None, {"c1": "127.0.0.1"}, {"duration": 9}, 80)

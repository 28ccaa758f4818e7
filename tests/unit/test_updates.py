"""Compose's words for exchanging containers, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.stack import updates


def service(**keys: Any) -> dict[str, Any]:
    return {"image": "r.test/web:1", **keys}


@pytest.mark.parametrize(
    ("keys", "routed", "order"),
    [
        ({}, False, "stop-first"),
        ({}, True, "start-first"),
        ({"ports": [{"target": 80, "published": "80"}]}, True, "stop-first"),
        ({"ports": [{"target": 80}]}, True, "start-first"),
        ({"container_name": "one"}, True, "stop-first"),
        ({"network_mode": "host"}, True, "stop-first"),
        ({"deploy": {"update_config": {"order": "stop-first"}}}, True, "stop-first"),
        ({"deploy": {"update_config": {"order": "start-first"}}}, False, "start-first"),
    ],
)
def test_the_order(keys: dict[str, Any], routed: bool, order: str) -> None:
    found = updates.rules(service(**keys), routed=routed)
    assert (found["update"]["order"], found["rollback"]["order"]) == (order, order)


def test_what_keeps_data_stops_first_unless_the_file_says_otherwise() -> None:
    assert updates.rules(service(), routed=True, keeps_data=True)["update"]["order"] == "stop-first"
    said = service(deploy={"update_config": {"order": "start-first"}})
    assert updates.rules(said, routed=True, keeps_data=True)["update"]["order"] == "start-first"


def test_every_word_of_update_config() -> None:
    config = {
        "parallelism": 2,
        "delay": "1m30s",
        "monitor": "500ms",
        "failure_action": "continue",
        "max_failure_ratio": 0.3,
        "order": "start-first",
    }
    back = {"parallelism": 3, "delay": "2s"}
    deploy = {"update_config": config, "rollback_config": back}
    assert updates.rules(service(deploy=deploy), routed=False) == {
        "update": {
            "order": "start-first",
            "parallelism": 2,
            "delay": 90.0,
            "monitor": 0.5,
            "watch": 0.5,
            "on_failure": "continue",
            "max_failure_ratio": 0.3,
        },
        "rollback": {
            "order": "start-first",
            "parallelism": 3,
            "delay": 2.0,
            "monitor": 0.0,
            "on_failure": "rollback",
            "max_failure_ratio": 0.0,
        },
    }


def test_updates_go_one_by_one_and_going_back_at_once() -> None:
    found = updates.rules(service(), routed=True)
    assert (found["update"]["parallelism"], found["rollback"]["parallelism"]) == (1, 0)


@pytest.mark.parametrize(
    ("keys", "config", "what"),
    [
        ({"ports": [{"published": "80"}]}, {"order": "start-first"}, "publishes a port"),
        ({"container_name": "one"}, {"order": "start-first"}, "has a container_name"),
        ({}, {"failure_action": "pause"}, "found failure_action: pause"),
    ],
)
def test_what_cannot_be_done(keys: dict[str, Any], config: dict[str, Any], what: str) -> None:
    model = {"services": {"web": service(**keys, deploy={"update_config": config})}}
    (problem,) = updates.problems(model, "shop")
    assert what in problem.what
    assert problem.where.startswith("shop/compose.yaml: services.web.deploy.update_config.")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("1m0s", 60), ("1h2m3.5s", 3723.5), ("10", 10), (0, 0), ("250ms", 0.25)],
)
def test_durations(text: Any, seconds: float) -> None:
    assert updates.seconds(text) == seconds

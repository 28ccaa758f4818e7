"""What the agent writes for whoever measures: containers, their targets, and drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import Fake, summary

from maestro.host import differing, telemetry, usage
from maestro.host.engine import Engine
from maestro.host.labels import HASH_LABEL, SERVICE

STATS: dict[str, Any] = {
    "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}, "throttling_data": {}},
    "memory_stats": {"usage": 1000, "limit": 5000, "stats": {"total_inactive_file": 300}},
    "pids_stats": {"current": 3},
    "networks": {"eth0": {"rx_bytes": 7, "tx_bytes": 8}},
}
WEB = 'name="shop-web-1",stack="shop",service="web"'


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[Fake, Engine]]:
    fake = Fake()
    with real_servers.unix_server(tmp_path / "e.sock", fake) as server:
        yield fake, Engine(server.address)


def container(**more: Any) -> dict[str, Any]:
    networks = {"Networks": {"b": {"IPAddress": ""}, "c": {"IPAddress": "10.0.0.7"}}}
    found = summary(Created=1700000000, Status="Up 2 minutes (healthy)", NetworkSettings=networks)
    return {**found, **more}


def with_labels(**labels: str) -> dict[str, Any]:
    found = container()
    return {**found, "Labels": {**found["Labels"], **labels}}


def test_files_are_there_while_a_container_reads_them(
    engine: tuple[Fake, Engine], tmp_path: Path
) -> None:
    fake, asked = engine
    home = tmp_path / "metrics"
    home.mkdir()
    reader = [{"Type": "bind", "Source": str(home)}]
    fake.say("GET /containers/web/stats", STATS)
    fake.say("GET /containers/json", [container(Mounts=reader)])
    telemetry.once(tmp_path, asked, home)
    assert {path.name for path in home.iterdir()} == {
        "containers.prom",
        "edge.prom",
        "targets.json",
    }
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in home.iterdir())
    assert f"container_memory_usage_bytes{{{WEB}}} 1000\n" in (home / "containers.prom").read_text()
    fake.say("GET /containers/json", [container()])
    fake.asked.clear()
    telemetry.once(tmp_path, asked, home)
    assert list(home.iterdir()) == []
    assert not [line for line in fake.requests if "/stats" in line], "nobody reads them"


def test_numbers_have_the_names_that_dashboards_know() -> None:
    text = usage.render([(telemetry.labels(container()), container(), STATS)])
    for line in (
        f"container_cpu_usage_seconds_total{{{WEB}}} 2.5",
        f"container_memory_working_set_bytes{{{WEB}}} 700",
        f"container_spec_memory_limit_bytes{{{WEB}}} 5000",
        f"container_threads{{{WEB}}} 3",
        f'container_network_receive_bytes_total{{{WEB},interface="eth0"}} 7',
        f"maestro_container_healthy{{{WEB}}} 1",
    ):
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Up 2 minutes", ""),
        ("Up 2 minutes (Paused)", ""),
        ("Up 2 minutes (unhealthy)", " 0"),
        ("Up 1 second (health: starting)", " 0"),
        ("Up 1 second (healthy)", " 1"),
    ],
)
def test_health_is_what_the_engine_says(status: str, said: str) -> None:
    text = usage.render([(telemetry.labels(container()), container(Status=status), STATS)])
    found = [line.rpartition("}")[2] for line in text.splitlines() if "healthy{" in line]
    assert found == ([said] if said else [])


def test_one_that_is_gone_meanwhile_has_no_numbers() -> None:
    text = usage.render([(telemetry.labels(container()), container(), {})])
    assert "shop-web-1" not in text


def test_a_target_is_what_a_label_names() -> None:
    plain = with_labels(**{telemetry.PORT: "8080"})
    path = with_labels(**{telemetry.PORT: "3000", telemetry.PATH: "/api/metrics"})
    wrong = with_labels(**{telemetry.PORT: "http"})
    host = {**plain, "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}}}
    found = telemetry.targets([plain, path, wrong, container(), host])
    assert [one["targets"] for one in found] == [
        ["10.0.0.7:8080"],
        ["10.0.0.7:3000"],
        ["127.0.0.1:8080"],
    ]
    assert [one["labels"]["__metrics_path__"] for one in found] == [
        "/metrics",
        "/api/metrics",
        "/metrics",
    ]
    assert json.dumps(found[0]["labels"], sort_keys=True) == json.dumps(
        {"__metrics_path__": "/metrics", "name": "shop-web-1", "service": "web", "stack": "shop"}
    )


SERVICES: dict[str, dict[str, Any]] = {"web": {"hash": "h1"}, "once": {"hash": "h2", "job": {}}}


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([{}], set()),
        ([{HASH_LABEL: "h9"}], {"web"}),
        ([{SERVICE: "old"}], {"old", "web"}),
        ([], {"web"}),
        ([{}, {HASH_LABEL: "h9"}], {"web"}),
    ],
)
def test_drift_is_another_definition_and_a_missing_container(
    labels: list[dict[str, str]], names: set[str]
) -> None:
    there = [with_labels(**one) for one in labels]
    assert set(differing.differing(SERVICES, there)) == names

"""Exchanging containers: when one counts as healthy, what is said when it does not, what goes back.

Real exchanges, start-first and under requests, are made on the lab's hosts by tests/e2e.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import NAME, Fake, detail, frame, summary
from real_servers import Answer

from maestro.errors import MaestroError
from maestro.host import health, release, roll, secrets
from maestro.host import labels as labels_of
from maestro.host.aim import Aim
from maestro.host.engine import Engine
from maestro.host.layout import Layout, write_atomically
from maestro.host.put_back import put_back
from maestro.host.rules import START_FIRST

LATE = (
    "not healthy after 0 s (deploy_timeout, or its healthcheck.start_period where that is longer)"
)


@pytest.fixture
def fake() -> Fake:
    found = Fake()
    found.say("GET /_ping", "OK")
    return found


@pytest.fixture
def client(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with real_servers.unix_server(tmp_path / "engine.sock", fake) as server:
        for module in ("release", "roll", "put_back"):
            name = f"maestro.host.{module}.Engine"
            monkeypatch.setattr(name, lambda: Engine(server.address))
        yield Engine(server.address)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


def aimless(layout: Layout, client: Engine) -> roll.Roll:
    return roll.Roll(layout, Aim("r1", {}), 1, engine=client)


def service(fake: Fake, **changes: Any) -> None:
    fake.say("GET /containers/json", [summary()])
    fake.say("GET /containers/web/json", detail(**changes))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "POLL", 0.01)


@pytest.mark.parametrize("changes", [{}, {"Health": {"Status": "healthy"}}])
def test_healthy_or_running_for_a_while(
    client: Engine, fake: Fake, layout: Layout, changes: dict[str, Any]
) -> None:
    service(fake, **changes)
    health.wait_services(layout, client, ["web"], 1)


def test_a_service_that_has_just_started_is_waited_for(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    start = time.time()
    # Nanoseconds, as the Engine writes them: a second begins at any of them.
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start)) + f"{start % 1:.9f}Z"[1:]
    service(fake, StartedAt=now)
    health.wait_services(layout, client, ["web"], 5)
    assert 0.99 < time.time() - start < 3
    assert len(fake.asked) > 4


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Status": "exited", "ExitCode": 3}, "exited with code 3"),
        ({"Status": "dead", "ExitCode": 137}, "exited with code 137"),
        ({"Health": {"Status": "unhealthy"}}, "is unhealthy"),
        ({"Health": {"Status": "starting"}}, LATE),
        ({"Status": "restarting", "ExitCode": 1}, LATE),
        ({"Status": "created"}, LATE),
    ],
)
def test_a_service_that_does_not_come_up(
    client: Engine, fake: Fake, layout: Layout, changes: dict[str, Any], why: str
) -> None:
    service(fake, **changes)
    fake.answers["GET /containers/web/logs"] = Answer(200, frame(1, b"last words\n"))
    with pytest.raises(MaestroError) as caught:
        health.wait_services(layout, client, ["web"], 0.05)
    assert caught.value.what.splitlines() == [
        f"service web: {why}",
        "last lines of web:",
        "    last words",
    ]
    assert caught.value.where == "stack shop"


def test_a_service_that_crashes_again_and_again(client: Engine, fake: Fake, layout: Layout) -> None:
    count = iter(range(100))
    fake.say("GET /containers/json", [summary()])
    fake.answers["GET /containers/web/json"] = lambda _: Answer(
        200,
        json.dumps(detail(Status="restarting", ExitCode=2, RestartCount=next(count))).encode(),
    )
    with pytest.raises(
        MaestroError, match=r"service web: crashes at start \(exit code 2, 3 restarts\)"
    ):
        health.wait_services(layout, client, ["web"], 5)


def test_a_service_without_a_container(client: Engine, fake: Fake, layout: Layout) -> None:
    fake.say("GET /containers/json", [summary("db"), summary(oneoff="True")])
    with pytest.raises(MaestroError, match="service web: has no container"):
        health.wait_services(layout, client, ["web"], 1)


def test_a_failure_shows_the_probe_and_no_secret(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    secrets.write(layout, [{"name": "t", "version": "r1", "uid": 0}], {"t": "swordfish-12"})
    log = [{"ExitCode": 0, "Output": "fine"}, {"ExitCode": 1, "Output": "x\nbad swordfish-12\n"}]
    service(fake, Health={"Status": "unhealthy", "Log": log})
    fake.answers["GET /containers/web/logs"] = Answer(200, frame(2, b"token swordfish-12"))
    with pytest.raises(MaestroError) as caught:
        health.wait_services(layout, client, ["web"], 1)
    assert "swordfish" not in str(caught.value)
    assert "last health check of web (exit code 1):\n    x\n    bad " in caught.value.what


def test_services_no_longer_wanted_are_removed(client: Engine, fake: Fake, layout: Layout) -> None:
    fake.say("GET /containers/json", [summary("old"), summary("web")])
    assert aimless(layout, client).leaving.remove(["old", "gone"]) == ["old"]
    changed = [request for request in fake.requests if not request.startswith("GET")]
    assert changed == ["POST /containers/old/stop", "DELETE /containers/old?v=0&force=1"]


def serving(layout: Layout) -> None:
    write_atomically(layout.compose_file("r1"), "", 0o644)
    facts = {"hash": "h1", "replicas": 1, "image": NAME}
    manifest = {"services": {"web": facts}, "order": [["web"]]}
    release.commit(layout, "r1", manifest)
    write_atomically(layout.compose_file("r2"), "", 0o644)


def test_putting_back_touches_nothing_that_still_serves(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    serving(layout)
    fake.say("GET /containers/json", [summary(), summary("newcomer")])
    assert put_back(layout, "r2", 5) == {"serves": "r1", "restored": []}
    changed = [request for request in fake.requests if not request.startswith("GET")]
    assert changed == ["POST /containers/newcomer/stop", "DELETE /containers/newcomer?v=0&force=1"]
    assert not layout.release("r2").exists()


def test_putting_back_where_nothing_served_removes_what_came(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    (layout.release("r2") / "half").mkdir(parents=True)
    fake.say("GET /containers/json", [summary(), summary("db")])
    fake.say("GET /networks", [])
    fake.say("GET /volumes", {"Volumes": []})
    assert put_back(layout, "r2", 5) == {"serves": "", "restored": []}
    gone = [request for request in fake.requests if request.startswith("DELETE")]
    assert sorted(gone) == [
        "DELETE /containers/db?v=0&force=1",
        "DELETE /containers/web?v=0&force=1",
    ]
    assert not layout.release("r2").exists()


@pytest.mark.parametrize(
    ("containers", "serves"),
    [
        ([summary(Status="Up 2 minutes (healthy)")], True),
        ([], False),
        ([summary(State="exited")], False),
        ([summary(Status="Up 2 minutes (unhealthy)")], False),
        ([summary(Labels={labels_of.SERVICE: "web", labels_of.HASH_LABEL: "h2"})], False),
        ([summary(), summary()], False),
    ],
)
def test_what_still_serves(
    client: Engine, fake: Fake, layout: Layout, containers: list[dict[str, Any]], serves: bool
) -> None:
    fake.say("GET /containers/json", containers)
    aim = Aim("r1", {"web": {"hash": "h1", "replicas": 1}})
    assert roll.Roll(layout, aim, 5, engine=client).standing.due("web") is not serves


def test_what_was_recreated_is_not_recreated_once_more(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    """Replicas that stop first, of which one was unhealthy, were replaced for ever."""
    fake.say("GET /containers/json", [summary(Id="web-1")])
    aim = Aim("r1", {"web": {"hash": "h1", "replicas": 1}})
    again = roll.Roll(layout, aim, 5, frozenset({"web"}), engine=client)
    assert not again.standing.wanted(summary(Id="web-1"))
    again.level([])
    assert [again.standing.wanted(summary(Id=name)) for name in ("web-1", "web-2")] == [False, True]


@pytest.mark.parametrize(
    ("states", "labels", "beside"),
    [
        (["running", "running"], ["old", "old"], True),
        (["running", "exited"], ["old", "old"], True),
        (["running", "exited"], ["new", "new"], False),  # it is only started again
        (["running", "running"], ["new", "new"], True),  # nothing to do in either way
        (["exited", "exited"], ["old", "old"], False),  # nothing there to take over from
    ],
)
def test_what_starts_beside_what_runs(
    states: list[str],
    labels: list[str],
    beside: bool,
    client: Engine,
    fake: Fake,
    layout: Layout,
) -> None:
    found = [summary(Id=f"web-{number}", State=states[number]) for number in range(len(states))]
    for item, label in zip(found, labels, strict=True):
        item["Labels"] = {**item["Labels"], labels_of.HASH_LABEL: label}
    fake.say("GET /containers/json", found)
    wanted = {"hash": "new", "replicas": 2, "exchange": {"update": {"order": START_FIRST}}}
    name = found[0]["Labels"]["com.docker.compose.service"]
    aim = Aim("r1", {name: wanted})
    assert roll.Roll(layout, aim, 1, engine=client).standing.starts_beside(name) is beside

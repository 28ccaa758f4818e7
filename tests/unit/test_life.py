"""How long containers may start and stop, which services are jobs, and when a loop is seen."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import real_servers
from fake_engine import Fake, detail, summary
from real_servers import Answer

from maestro.errors import MaestroError
from maestro.host import compose, health, life, recovery, repair, settle
from maestro.host.aim import Aim
from maestro.host.engine import Engine
from maestro.host.jobs import Job, remember, remembered
from maestro.host.labels import HASH_LABEL
from maestro.host.layout import Layout
from maestro.plan import checks, compare
from maestro.stack import checks as stack_checks
from maestro.stack import jobs

SECOND = 10**9
NEVER = {"condition": "none"}
WEB = {"hash": "h1", "replicas": 1}


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def client(tmp_path: Path, fake: Fake) -> Iterator[Engine]:
    with real_servers.unix_server(tmp_path / "engine.sock", fake) as server:
        yield Engine(server.address)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "POLL", 0.01)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# Starting and stopping


@pytest.mark.parametrize(
    ("config", "seconds"),
    [({}, 10), ({"StopTimeout": 200}, 200), ({"StopTimeout": 0}, 0), ({"StopTimeout": -1}, 86400)],
)
def test_the_grace_of_a_container(config: dict[str, Any], seconds: float) -> None:
    assert life.grace({"Config": config}) == seconds


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        ({}, 120),
        # The first check comes after an interval; one that is far away is not waited for.
        ({"Test": ["CMD", "true"], "Interval": 3600 * SECOND, "Retries": 3}, 120),
        ({"Test": ["CMD", "true"], "Interval": 300 * SECOND}, 305),
        ({"Test": ["CMD", "true"], "Interval": 300 * SECOND, "Timeout": 20 * SECOND}, 325),
        ({"Test": ["CMD", "true"], "Interval": 60 * SECOND}, 120),
        ({"Test": ["CMD", "true"]}, 120),
        ({"Test": ["NONE"], "Interval": 300 * SECOND}, 120),
        ({"StartPeriod": 10 * SECOND, "Interval": SECOND, "Retries": 2}, 120),
        ({"StartPeriod": 300 * SECOND, "Interval": 10 * SECOND, "Retries": 3}, 330),
        # The first check is waited for, whatever the period is.
        (
            {"Test": ["CMD", "true"], "StartPeriod": 10 * SECOND, "Interval": 300 * SECOND},
            305,
        ),
        (
            {
                "Test": ["CMD", "true"],
                "StartPeriod": 10 * SECOND,
                "Interval": 300 * SECOND,
                "StartInterval": SECOND,
            },
            130,
        ),
        # Three checks 30 s apart, where nothing is said.
        ({"StartPeriod": 300 * SECOND}, 390),
        # Checks that are an hour apart are not waited for.
        ({"StartPeriod": 300 * SECOND, "Interval": 3600 * SECOND}, 420),
    ],
)
def test_the_time_to_start(check: dict[str, Any], seconds: float) -> None:
    assert life.start_limit({"Config": {"Healthcheck": check}}, 120) == seconds


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (" Container shop-web-1  Recreate\nError: no such image: x", "Error: no such image: x"),
        (" Container shop-web-1  Recreate", "Container shop-web-1  Recreate"),
        ("", ""),
    ],
)
def test_what_compose_complains_of(stderr: str, said: str) -> None:
    assert compose.complaint(stderr) == said


# Crash loops


def looks(*states: dict[str, Any], **expect: Any) -> list[str]:
    """What is said of one container, look after look."""
    found = health.Looks(health.Expect(**expect))
    return [found.wrong(detail(**state)) for state in states]


@pytest.mark.parametrize(
    ("states", "expect", "said"),
    [
        ([{}, {"RestartCount": 1}], {"restarts": 0}, "crashes at start (1 restart)"),
        # The first look comes after the first restart.
        ([{"RestartCount": 1}], {"restarts": 0, "fresh": True}, "crashes at start (1 restart)"),
        ([{"RestartCount": 9}, {"RestartCount": 9}], {"restarts": 0}, ""),
        (
            [{"Status": "restarting", "ExitCode": 7}, {"RestartCount": 1}],
            {"restarts": 0, "fresh": True},
            "crashes at start (exit code 7, 1 restart)",
        ),
        ([{}, {"RestartCount": 2}], {"restarts": 2}, ""),
        (
            [{}, {"RestartCount": 3, "OOMKilled": True}],
            {"restarts": 2},
            "crashes at start (out of memory, 3 restarts)",
        ),
        ([{"Status": "exited", "ExitCode": 0}], {}, "exited with code 0"),
        ([{"Status": "exited", "ExitCode": 0}], {"job": Job()}, ""),
        ([{"Status": "exited", "ExitCode": 4}], {"job": Job()}, "exited with code 4"),
        (
            [{"Status": "exited", "ExitCode": 137, "OOMKilled": True}],
            {"job": Job()},
            "exited with code 137 (out of memory)",
        ),
    ],
)
def test_what_is_wrong_with_a_container(
    states: list[dict[str, Any]], expect: dict[str, Any], said: str
) -> None:
    assert looks(*states, **expect)[-1] == said


@pytest.mark.parametrize(
    ("states", "seconds", "why"),
    [
        ([{"StartedAt": "2026-01-01T00:00:00Z"}], 5, ""),
        ([{"Status": "exited", "ExitCode": 3}], 5, "exited with code 3"),
        ([{"RestartCount": 0}, {"RestartCount": 1}], 5, "crashes at start (1 restart)"),
        ([{"RestartCount": 0}], 5, "did not run for 5 s without a restart"),
    ],
)
def test_new_containers_are_watched(
    client: Engine, fake: Fake, states: list[dict[str, Any]], seconds: float, why: str
) -> None:
    answers = iter(states)
    fake.answers["GET /containers/web/json"] = lambda _: Answer(
        200, json.dumps(detail(**{"StartedAt": now(), **next(answers, states[-1])})).encode()
    )
    watching = settle.Settling(client)
    looks = health.Looks(health.Expect(restarts=0))
    watching.watched["web"] = settle._Watched("web", looks, seconds, time.monotonic() + 0.2)
    assert watching.finish() == ({"web": why} if why else {})


def test_a_container_that_the_change_removed_is_no_failure(client: Engine) -> None:
    watching = settle.Settling(client)
    watching.watched["gone"] = settle._Watched("web", health.Looks(), 1, time.monotonic() + 9)
    assert watching.finish() == {}


# Jobs


@pytest.mark.parametrize(
    ("service", "job"),
    [
        ({"restart": "no"}, Job(patience=30)),
        ({"restart": "on-failure:3"}, Job()),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, Job(patience=30)),
        # As in Compose, `deploy` counts before `restart`.
        (
            {"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}},
            Job(patience=30),
        ),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}}, None),
        ({"restart": "no", "deploy": {"restart_policy": {"max_attempts": 3}}}, None),
        ({}, Job()),
        ({"restart": "always"}, None),
        ({"restart": "unless-stopped"}, None),
        ({"restart": "no", "ports": [{"published": "80", "target": 80}]}, None),
        ({"healthcheck": {"test": ["CMD", "true"]}}, None),
        ({"healthcheck": {"disable": True}}, Job()),
        ({"restart": "no", "healthcheck": {"test": ["CMD", "true"]}}, Job()),
    ],
)
def test_which_services_are_jobs(service: dict[str, Any], job: Job | None) -> None:
    model = {"services": {"it": service}}
    assert jobs.found(model, {}, ["it"]).get("it") == job
    assert "it" not in jobs.found(model, {"routes": [{"service": "it", "port": 1}]}, ["it"])


def test_a_job_that_others_wait_for_runs_to_its_end() -> None:
    services = {
        "seed": {"restart": "no"},
        "index": {},
        "web": {"restart": "always", "depends_on": {"seed": {"condition": jobs.COMPLETED}}},
    }
    found = jobs.found(
        {"services": services}, {"jobs": [{"service": "index", "timeout": 600}]}, services
    )
    assert found == {"seed": Job(waited=True), "index": Job(waited=True, limit=600)}


@pytest.mark.parametrize(
    ("service", "extension", "why"),
    [
        ({"restart": "always"}, {}, "restart: always restarts it whenever it exits"),
        ({}, {"routes": [{"service": "seed", "port": 1}]}, "requests of a route go to it"),
        ({"restart": "always"}, {"migrations": [{"service": "seed"}]}, ""),
        ({"restart": "no"}, {}, ""),
    ],
)
def test_what_cannot_be_waited_for(
    service: dict[str, Any], extension: dict[str, Any], why: str
) -> None:
    model = {
        "services": {
            "seed": service,
            "web": {"depends_on": {"seed": {"condition": jobs.COMPLETED}}},
        }
    }
    found = [problem.what for problem in jobs.problems("shop", model, extension)]
    assert found == ([f"waits until seed has ended, but {why}"] if why else [])


# Checks


@pytest.mark.parametrize(
    ("service", "image", "smoke", "named"),
    [
        ({}, {"checked": False}, [], True),
        ({}, {"checked": True}, [], False),
        ({}, {}, [], False),
        ({"healthcheck": {"test": ["CMD", "true"]}}, {"checked": False}, [], False),
        ({"healthcheck": {"disable": True}}, {"checked": True}, [], True),
        ({}, {"checked": False}, [{"tcp": {"port": 80, "service": "web"}}], False),
        ({}, {"checked": False}, [{"tcp": {"port": 80, "service": "db"}}], True),
        ({}, {"checked": False}, [{"http": {"edge": True, "host": "a.test"}}], False),
        ({}, {"checked": False}, [{"http": {"edge": True, "host": "b.test"}}], True),
        ({"ports": [{"published": "80"}]}, {"checked": False}, [{"tcp": {"port": 80}}], False),
    ],
)
def test_who_has_no_check(
    service: dict[str, Any], image: dict[str, Any], smoke: list[dict[str, Any]], named: bool
) -> None:
    model = {"services": {"web": {"image": "web:1", **service}, "db": {"image": "db:1"}}}
    extension = {"smoke": smoke, "routes": [{"service": "web", "port": 80, "host": "a.test"}]}
    found = stack_checks.unchecked(model, extension, {"web:1": image}, ["web"])
    assert found == ({"web"} if named else set())


def test_the_plan_names_who_has_no_check() -> None:
    services = {"web": {}, "worker": {}, "job": {"job": {}}, "kept": {}}
    routes = [{"service": "web", "path": "/app"}]
    web, worker = checks.warnings(services, services, routes, ["web", "worker", "job"])
    start = "has no health check and no smoke check: it counts as healthy when"
    assert web == f"web {start} GET /app is answered with a status below 500"
    assert worker == f"worker {start} it has run for 10 s without a restart"


# What is put right, and what cannot be put back


def test_a_service_that_somebody_removed_meanwhile_is_no_success(
    client: Engine, fake: Fake, tmp_path: Path
) -> None:
    fake.say("GET /containers/json", [])
    layout, since = Layout(tmp_path, "shop"), time.time()
    settle.last_look(layout, client, Aim("r1", {"job": {**WEB, "job": {"waited": True}}}), since)
    with pytest.raises(MaestroError, match="service web: has no container left"):
        settle.last_look(layout, client, Aim("r1", {"web": WEB}), since)


class Waits(Exception):
    """It would wait now."""


@pytest.mark.parametrize(
    ("kind", "checked", "watch", "waits"),
    [
        ("update", True, None, True),
        ("update", True, 0, False),
        ("update", False, 0, True),
        ("rollback", True, None, False),
        ("rollback", False, None, True),
    ],
)
def test_what_is_known_is_waited_for_less(
    client: Engine,
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str,
    checked: bool,
    watch: float | None,
    waits: bool,
) -> None:
    """A new container has to run for a while before its release is committed."""
    began = time.gmtime(time.time() - settle.LEAST_KNOWN - 0.5)
    health_now = {"Health": {"Status": "healthy"}} if checked else {}
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", began)
    fake.say("GET /containers/json", [summary("web")])
    fake.say("GET /containers/web/json", detail("web", StartedAt=started, **health_now))
    monkeypatch.setattr(settle.time, "sleep", mock.Mock(side_effect=Waits))
    aim = Aim("r1", {"web": {**WEB, "exchange": {kind: {"watch": watch}}}}, kind=kind)
    with pytest.raises(Waits) if waits else contextlib.nullcontext():
        settle.last_look(Layout(tmp_path, "shop"), client, aim, time.time() - 60)


def test_containers_are_made_ready_to_be_replaced(client: Engine, fake: Fake) -> None:
    half = "0123456789ab_shop-web-1"
    listed = [
        summary("web", Id="1", State="paused"),
        summary("web", Id="2", State="dead", Names=["/shop-web-2"]),
        summary("web", Id="3", State="created", Names=[f"/{half}"]),
        summary("db", Id="4", State="created", Names=["/abcdef012345_shop-db-1"]),
        summary("other", Id="5", State="paused"),
    ]
    fake.say("GET /containers/json", listed)
    fake.say("POST /containers/4/rename", {}, 204)
    assert repair.ready(client, "shop", ["web", "db"]) == [
        "unpaused shop-web-1",
        "removed shop-web-2",
        f"removed {half}",
        "renamed abcdef012345_shop-db-1",
    ]
    changed = [request for request in fake.requests if not request.startswith("GET")]
    assert changed == [
        "POST /containers/1/unpause",
        "POST /containers/2/stop",
        "DELETE /containers/2?v=0&force=1",
        "POST /containers/3/stop",
        "DELETE /containers/3?v=0&force=1",
        "POST /containers/4/rename?name=shop-db-1",
    ]


def test_tries_get_rarer(tmp_path: Path) -> None:
    assert [recovery.pause(n) for n in (1, 2, 3, 9, 10, 1000)] == [10, 20, 40, 1800, 1800, 1800]
    layout = Layout(tmp_path, "shop")
    assert recovery.due(layout)
    assert recovery.note(layout, "r1", 60, {"db": "service db: is unhealthy\nlogs"}).attempts == 1
    found = recovery.note(layout, "r1", 60, {"db": "service db: is unhealthy"})
    assert (found.attempts, found.problems) == (2, {"db": "service db: is unhealthy"})
    assert not recovery.due(layout)
    assert recovery.note(layout, "r2", 60, {}).attempts == 1
    recovery.clear(layout)
    assert recovery.describe(layout) == {}


def test_a_job_that_was_done_is_remembered_until_its_definition_changes(
    client: Engine, fake: Fake, tmp_path: Path
) -> None:
    layout = Layout(tmp_path, "shop")
    layout.make_home()
    services: dict[str, Any] = {"job": {"hash": "h1", "job": {"waited": True}}}
    services["web"] = {"hash": "h2"}
    ended = summary("job", State="exited", Status="Exited (0) 2 seconds ago")
    ended["Labels"][HASH_LABEL] = "h1"
    for listed, known in (
        ([{**ended, "Status": "Exited (3) 2 seconds ago"}], {}),
        ([ended], {"job": "h1"}),
        ([], {"job": "h1"}),
    ):
        fake.say("GET /containers/json", listed)
        remember(layout, client, services)
        assert remembered(layout) == known
    state = {"done": remembered(layout)}
    assert compare.was_done("job", services["job"], state)
    assert not compare.was_done("job", {**services["job"], "hash": "h9"}, state)
    assert not compare.was_done("web", services["web"], {"done": {"web": "h2"}}), "no job"
    services["job"]["hash"] = "h9"
    remember(layout, client, services)
    assert remembered(layout) == {}


def test_a_check_that_comes_too_late_is_named() -> None:
    hourly = {"Test": ["CMD", "true"], "Interval": 3600 * SECOND}
    looks = health.Looks(health.Expect())
    said = looks.late(120, {"Config": {"Healthcheck": hourly}})
    assert "first health check comes after 3600 s (healthcheck.interval)" in said
    # Without a start_interval, a start_period alone changes nothing: Engine 26 waits all the same.
    started: dict[str, Any] = {"Config": {"Healthcheck": {**hourly, "StartPeriod": SECOND}}}
    assert looks.late(120, started) == said
    started["Config"]["Healthcheck"]["StartInterval"] = SECOND
    assert looks.late(120, started).startswith("not healthy after 120 s")


@pytest.mark.parametrize(
    ("began", "seconds"),
    [
        ((), 305),
        # An Engine that checks sooner: nothing more is to come that was not seen.
        (("2026-01-01T10:00:05.5Z",), 130),
        (("2026-01-01T12:00:05.123456789+02:00",), 130),
        (("2026-01-01T04:30:05-05:30",), 130),
        # Engine 26: the first check came after the interval.
        (("2026-01-01T10:05:00.4Z",), 305),
        # Checks of before the container was started again.
        (("2026-01-01T09:59:00Z",), 305),
        (("2026-01-01T11:59:00+02:00", "2026-01-01T12:00:05+02:00"), 130),
    ],
)
def test_the_first_check_is_waited_for_until_it_was_seen(
    began: tuple[str, ...], seconds: float
) -> None:
    check = {"Test": ["CMD", "true"], "StartPeriod": 10 * SECOND, "Interval": 300 * SECOND}
    health_of = {"Status": "starting", "Log": [{"Start": each, "ExitCode": 1} for each in began]}
    found = detail(StartedAt="2026-01-01T10:00:00.2Z", Health=health_of)
    found["Config"]["Healthcheck"] = check
    assert life.start_limit(found, 120) == seconds
    # What is said when the time is over names the first check only where none was made.
    late = health.Looks().late(120, found)
    assert ("first health check comes after 300 s" in late) == (seconds == 305)

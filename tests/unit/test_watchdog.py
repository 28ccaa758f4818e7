"""Which unhealthy containers are restarted, when, and how often."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import Fake
from real_servers import Answer

from maestro.host import journal, metrics, starvation, watchdog
from maestro.host.engine import Engine
from maestro.host.journal_counts import Counts
from maestro.host.labels import ONE_OFF, PROJECT, SERVICE
from maestro.host.layout import Layout
from maestro.host.watchdog_memory import Memory
from maestro.stack import watchdog as said

HOUR = watchdog.WINDOW


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], 10_000),
        ([9_995], 10_005),
        ([9_000], 10_000),  # the pause is over
        ([9_980, 9_990], 10_010),
        ([9_970, 9_980, 9_999], 10_039),
        ([6_000], 10_000),  # longer ago than an hour
        ([9_000, 9_100, 9_200, 9_900, 9_999], 9_000 + HOUR),  # as often as it may be
        ([20_000], 10_000),  # the clock was set back
    ],
)
def test_when_a_container_may_be_restarted(before: list[float], expected: float) -> None:
    assert watchdog.due(before, 5, 10_000) == expected


def test_the_pause_between_two_restarts_is_never_longer_than_the_longest() -> None:
    assert watchdog.due([9_999.0] * 20, 60, 10_000) == 9_999 + watchdog.LONGEST


def test_an_unhealthy_container_is_restarted_as_often_as_its_cap_says() -> None:
    now, restarts = 0.0, [0.0]
    while now < 10 * HOUR:
        now = watchdog.due(restarts, 5, now + 1)
        restarts.append(now)
    for at in restarts:
        assert len([one for one in restarts if at <= one < at + HOUR]) <= 5


class Host:
    """A stack's release, an Engine that answers from a table, and a clock that is set."""

    def __init__(self, root: Path, fake: Fake, engine: Engine) -> None:
        self.root, self.fake, self.engine = root / "maestro", fake, engine
        self.layout = Layout(self.root, "shop")
        self.memory = Memory(root / "state" / "watchdog.json")
        self.now = time.time()
        self.starved = ""
        self.dog: watchdog.Watchdog | None = None
        self.release({})

    def release(self, facts: dict[str, Any]) -> None:
        place = self.layout.release("r1")
        place.mkdir(parents=True, exist_ok=True)
        manifest = {"id": "r1", "version": "v1", "services": {"web": facts}}
        (place / "release.json").write_text(json.dumps(manifest))
        if not self.layout.current.is_symlink():
            self.layout.current.symlink_to("releases/r1")

    def unhealthy(self, *, name: str = "shop-web-1", **labels: str) -> None:
        item = {"Id": name, "Names": [f"/{name}"], "Labels": labels}
        self.fake.say("GET /containers/json", [item])
        state = {"Status": "running", "Health": {"Status": "unhealthy"}, "Pid": 7}
        self.fake.say(f"GET /containers/{name}/json", {"State": state, "Config": {}})
        self.fake.say(f"GET /containers/{name}/top", {"Processes": [["7", "1", "Ss"]]})
        self.fake.answers[f"POST /containers/{name}/restart"] = Answer(204)

    def look(self, mode: str = watchdog.STACKS) -> list[str]:
        """The restarts that one look asks for."""
        self.fake.asked.clear()
        self.dog = self.dog or watchdog.Watchdog(
            self.root, self.engine, self.memory, mode, lambda: self.now, lambda: self.starved
        )
        dog = self.dog
        dog.look()
        dog.settle()
        return [item for item in self.fake.requests if item.startswith("POST")]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    fake = Fake()
    with real_servers.unix_server(tmp_path / "e.sock", fake) as server:
        yield Host(tmp_path, fake, Engine(server.address))


OURS = {PROJECT: "shop", SERVICE: "web"}
RESTART = ["POST /containers/shop-web-1/restart"]


def test_a_service_is_restarted_and_the_history_says_so(host: Host) -> None:
    host.unhealthy(**OURS)
    assert host.look() == RESTART
    assert host.look() == []  # its pause is not over
    host.now += watchdog.FIRST + 1
    assert host.look() == RESTART
    events = journal.read(host.layout, 10)
    assert [event["what"] for event in events] == ["restart of web"] * 2
    assert events[-1]["by"] == watchdog.BY
    assert "restart 2 of at most 5" in events[-1]["message"]


@pytest.mark.parametrize(
    ("facts", "labels", "mode", "restarted"),
    [
        ({}, OURS, "stacks", True),
        ({"watchdog": 0}, OURS, "stacks", False),
        ({"watchdog": 0}, OURS, "all", False),
        ({"job": {}}, OURS, "all", False),
        ({}, {**OURS, ONE_OFF: "True"}, "all", False),
        ({}, {**OURS, "autoheal": "false"}, "stacks", True),  # the release says, no label
        # What no release made.
        ({}, {PROJECT: "other", SERVICE: "web"}, "stacks", False),
        ({}, {PROJECT: "other", SERVICE: "web"}, "all", True),
        ({}, {PROJECT: "..", SERVICE: "web"}, "stacks", False),
        ({}, {PROJECT: "shop", SERVICE: "another"}, "stacks", False),
        ({}, {}, "stacks", False),
        ({}, {}, "all", True),
        ({}, {"autoheal": "true"}, "stacks", True),
        ({}, {"autoheal": "True"}, "stacks", True),
        ({}, {"autoheal": "false"}, "all", False),
    ],
)
def test_who_is_watched(
    host: Host, facts: dict[str, Any], labels: dict[str, str], mode: str, restarted: bool
) -> None:
    host.release(facts)
    host.unhealthy(**labels)
    assert host.look(mode) == (RESTART if restarted else [])


def test_the_edge_is_left_to_its_own_check(host: Host) -> None:
    host.unhealthy(name="maestro-edge")
    assert host.look("all") == []


def test_a_stack_that_is_being_changed_is_left_alone(host: Host) -> None:
    host.unhealthy(**OURS)
    (host.layout.home / "lease.json").write_text("{}")
    assert host.look() == []
    (host.layout.home / "lease.json").unlink()
    assert host.look() == RESTART


@pytest.mark.parametrize("state", ["healthy", "starting"])
def test_one_that_recovered_meanwhile_is_left_alone(host: Host, state: str) -> None:
    host.unhealthy(**OURS)
    host.fake.say(
        "GET /containers/shop-web-1/json",
        {"State": {"Status": "running", "Health": {"Status": state}}},
    )
    assert host.look() == []
    assert host.memory.entries == {}


def test_one_that_is_frozen_gets_no_time_to_stop(host: Host) -> None:
    host.unhealthy(**OURS)
    host.fake.say(
        "GET /containers/shop-web-1/top", {"Processes": [["7", "1", "Tsl"], ["9", "7", "S"]]}
    )
    assert host.look() == ["POST /containers/shop-web-1/restart?t=0"]


def test_one_that_is_frozen_below_an_init_gets_none_either(host: Host) -> None:
    host.unhealthy(**OURS)
    rows = [["7", "1", "Ss"], ["9", "7", "Tl"], ["11", "9", "S"]]
    host.fake.say("GET /containers/shop-web-1/top", {"Processes": rows})
    assert host.look() == ["POST /containers/shop-web-1/restart?t=0"]


LATE = {"ExitCode": -1, "Output": "Health check exceeded timeout (10s)"}
MISSING = {"ExitCode": -1, "Output": "OCI runtime exec failed: no such file"}
FAILED = {"ExitCode": 22, "Output": "curl: (22) The requested URL returned error: 503"}


def late(host: Host, *log: dict[str, object]) -> None:
    """Let the container be unhealthy for these results of its check."""
    host.unhealthy(**OURS)
    health = {"Status": "unhealthy", "FailingStreak": 3, "Log": list(log)}
    state = {"Status": "running", "Health": health, "Pid": 7}
    host.fake.say("GET /containers/shop-web-1/json", {"State": state, "Config": {}})


@pytest.mark.parametrize(
    ("log", "starved", "expected"),
    [
        ([LATE, LATE, LATE], "load 70 on 2 CPUs", []),
        ([FAILED, LATE, LATE, LATE], "load 70 on 2 CPUs", []),
        ([LATE, LATE, FAILED], "load 70 on 2 CPUs", RESTART),
        ([LATE, MISSING, LATE], "load 70 on 2 CPUs", RESTART),
        ([], "load 70 on 2 CPUs", RESTART),
        ([LATE, LATE, LATE], "", RESTART),
    ],
)
def test_what_is_only_late_on_a_starved_host_is_left_alone(
    host: Host, capfd: pytest.CaptureFixture[str], log: list[Any], starved: str, expected: list[str]
) -> None:
    late(host, *log)
    host.starved = starved
    assert host.look() == expected
    assert host.look() == []
    said = capfd.readouterr().err
    assert said.count("the host is starved (load 70 on 2 CPUs)") == (not expected), "once"


def test_a_starved_host_does_not_keep_the_watchdog_away_for_ever(host: Host) -> None:
    late(host, LATE, LATE, LATE)
    host.starved = "load 70 on 2 CPUs"
    assert host.look() == []
    host.now += watchdog.PATIENCE - 1
    assert host.look() == []
    host.now += 1
    assert host.look() == RESTART


def test_what_is_frozen_is_restarted_on_a_starved_host_too(host: Host) -> None:
    late(host, LATE, LATE, LATE)
    host.starved = "load 70 on 2 CPUs"
    host.fake.say("GET /containers/shop-web-1/top", {"Processes": [["7", "1", "Tsl"]]})
    assert host.look() == ["POST /containers/shop-web-1/restart?t=0"]


PRESSURE = (
    "some avg10={0} avg60=1.00 avg300=1.00 total=1\nfull avg10={1} avg60=1.00 avg300=1.00 total=1\n"
)


@pytest.mark.parametrize(
    ("load", "cpu", "memory", "io", "said"),
    [
        (70, (97, 0), (0, 0), (0, 0), "load 70 on 2 CPUs, waiting for them 97 % of the time"),
        (7, (97, 0), (0, 0), (0, 0), ""),  # busy
        (70, (20, 0), (0, 0), (0, 0), ""),  # many that wait for something else
        (3, (20, 0), (90, 60), (0, 0), "waiting for memory 60 % of the time"),
        (3, (20, 0), (90, 10), (90, 70), "waiting for io 70 % of the time"),
        (3, (20, 0), (90, 10), (90, 10), ""),
    ],
)
def test_when_a_host_is_starved(
    tmp_path: Path, load: int, cpu: Any, memory: Any, io: Any, said: str
) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "loadavg").write_text(f"{load}.00 1.00 1.00 1/100 1\n")
    for name, values in (("cpu", cpu), ("memory", memory), ("io", io)):
        (tmp_path / "pressure" / name).write_text(PRESSURE.format(*values))
    assert starvation.reason(tmp_path, cpus=2) == said


def test_a_kernel_that_tells_nothing_leaves_the_watchdog_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "loadavg").write_text("70.00 1.00 1.00 1/100 1\n")
    assert starvation.reason(tmp_path, cpus=2) == ""


def test_events_are_counted_on_and_anew_where_the_file_is_another(host: Host) -> None:
    def add(result: str) -> None:
        journal.write(host.layout, journal.Event("shop", "deploy", result))

    path, counts = journal.file(host.layout), Counts()
    assert counts.of(path) == {}
    add("done")
    add("failed")
    assert counts.of(path) == {"done": 1, "failed": 1}
    # What was counted is not read again.
    text = path.read_bytes()
    path.write_bytes(b"x" * (len(text) - 1) + b"\n")
    add("done")
    assert counts.of(path) == {"done": 2, "failed": 1}
    # A line that is still being written, and one that was cut short.
    with path.open("ab") as file:
        file.write(b'{"result": "done"')
    assert counts.of(path) == {"done": 2, "failed": 1}
    with path.open("ab") as file:
        file.write(b"}\n[1]\n")
    assert counts.of(path) == {"done": 3, "failed": 1}
    path.write_bytes(text)
    assert counts.of(path) == {"done": 1, "failed": 1}, "it is shorter"
    other = path.with_suffix(".new")
    other.write_bytes(text * 9)
    other.rename(path)
    assert counts.of(path) == {"done": 9, "failed": 9}, "it is another"


def test_what_restarts_do_not_help_is_given_up_once_and_loudly(host: Host) -> None:
    host.release({"watchdog": 2})
    host.unhealthy(**OURS)
    for _ in range(200):
        host.look()
        host.now += 10
    events = journal.read(host.layout, 100)
    assert [event["result"] for event in events] == ["done", "done", "failed"]
    assert "see its logs" in events[-1]["message"]
    text = metrics.render(host.root, host.memory, Counts())
    assert 'maestro_watchdog_given_up{stack="shop",service="web"} 1' in text
    assert 'maestro_watchdog_restarts_total{stack="shop",service="web"} 2' in text
    host.now += HOUR
    assert host.look() == RESTART


def test_it_looks_again_as_soon_as_something_is_due(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event comes, and what it tells of is due in ten seconds: the next look is not after 60."""
    waits = iter([60.0, 10.0])
    looked: list[float] = []

    def look(_: watchdog.Watchdog) -> float:
        looked.append(next(waits))
        return looked[-1]

    monkeypatch.setattr(watchdog.Watchdog, "look", look)
    monkeypatch.setattr(Engine, "events", lambda *_, **__: iter([{}, {}, {}]))
    watchdog.Watchdog(host.root, host.engine, host.memory).follow()
    assert looked == [60.0, 10.0]


def test_what_is_being_restarted_is_not_given_up_meanwhile(host: Host) -> None:
    """The last restart that it may have takes its time: the container is unhealthy until then."""
    host.release({"watchdog": 1})
    host.unhealthy(**OURS)
    assert host.look() == RESTART
    assert host.dog
    host.dog._working["shop", "web"] = under_way = threading.Thread()
    under_way.start()
    host.look()
    assert not host.memory.entries["shop-web-1"].given_up
    del host.dog._working["shop", "web"]
    host.look()
    assert host.memory.entries["shop-web-1"].given_up


def test_a_new_start_of_the_agent_counts_on(host: Host) -> None:
    host.unhealthy(**OURS)
    assert host.look() == RESTART
    host.memory, host.dog = Memory(host.memory.directory / "watchdog.json"), None
    assert host.look() == []


def test_a_container_that_was_replaced_begins_anew(host: Host) -> None:
    host.unhealthy(**OURS)
    host.look()
    item = {"Id": "new", "Names": ["/shop-web-1"], "Labels": OURS}
    host.fake.say("GET /containers/json", [item])
    state = {"Status": "running", "Health": {"Status": "unhealthy"}, "Pid": 7}
    host.fake.say("GET /containers/new/json", {"State": state, "Config": {}})
    host.fake.answers["POST /containers/new/restart"] = Answer(204)
    assert host.look() == ["POST /containers/new/restart"]


def test_a_damaged_memory_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "watchdog.json"
    path.write_text('{"containers": [')
    assert Memory(path).entries == {}


def test_the_metrics_name_what_serves(host: Host) -> None:
    claim = {"purpose": "deploy of v1", "by": "jo", "acquired": time.time() - 60}
    journal.note(host.layout, claim, journal.DONE)
    text = metrics.render(host.root, host.memory, Counts())
    assert 'maestro_release_info{stack="shop",version="v1",release="r1",environment=""} 1\n' in text
    labels = '{stack="shop",kind="deploy",result="done"}'
    for name, least in (("duration", 60), ("timestamp", time.time() - 60)):
        found = re.search(rf"maestro_change_{name}_seconds{labels} (\d+)\n", text)
        assert found
        assert int(found[1]) >= int(least)


@pytest.mark.parametrize(
    ("extension", "facts"),
    [
        ({}, {}),
        ({"watchdog": True}, {}),
        ({"watchdog": False}, {"watchdog": 0}),
        ({"watchdog": {"web": False}}, {"watchdog": 0}),
        ({"watchdog": {"db": False}}, {}),
        ({"watchdog": {"web": True}}, {}),
        ({"watchdog": {"web": {"restarts": 3}}}, {"watchdog": 3}),
    ],
)
def test_what_a_stack_says(extension: Any, facts: dict[str, int]) -> None:
    assert said.facts(extension, "web") == facts

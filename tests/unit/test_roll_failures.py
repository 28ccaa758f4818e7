"""What a roll that fails does to a host, and what puts the old release back: exact commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_host import CRASHES, EXITS, HEALTHY, LATER, NETWORK, NEVER, UNHEALTHY, Container
from rolling import (
    BESIDE,
    CANARY,
    DATA,
    NOTHING_SERVED,
    ONE_BY_ONE,
    PORT,
    A,
    B,
    Case,
    Rolling,
    facts,
    old,
    routed,
    web,
)

from maestro.errors import MaestroError
from maestro.host import lease, put_back, recovery, steps

CASES: list[Case] = [
    Case(
        "fails beside, more than is tolerated",
        [A, B],
        web(
            replicas=2,
            rules={**BESIDE, "parallelism": 1, "on_failure": "continue", "max_failure_ratio": 0.5},
        ),
        made={"web": {"fate": UNHEALTHY}},
        up=(
            "compose r2: --no-recreate --scale web=3 web > edge web: b > drain a 10 s > "
            "stop a > remove a > compose r2: --no-recreate --scale web=3 web"
        ),
        left="b running, web+3 running",
        fails="service web: is unhealthy",
        back=(
            "compose r1: --pull missing --no-recreate --scale web=4 web > "
            "edge web: b, web+3 > drain web+1 10 s > drain web+2 10 s > stop web+1 > "
            "remove web+1 > stop web+2 > remove web+2 > edge web: b, web+3"
        ),
    ),
    Case(
        "fails, the image is missing",
        [A],
        web(),
        refuses={"compose r2: web": "No such image: r.test/web"},
        up="compose r2: web",
        left="a running",
        fails="service web: No such image: r.test/web",
        back="edge web: a",
    ),
    Case(
        "fails beside, the image is missing",
        [A],
        web(rules=BESIDE),
        refuses={"compose r2: --no-recreate --scale web=2 web": "No such image: r.test/web"},
        up="compose r2: --no-recreate --scale web=2 web",
        left="a running",
        fails="service web: No such image: r.test/web",
        back="edge web: a",
    ),
    Case(
        "fails, it cannot be started",
        [A],
        web(),
        made={"web": {"fate": NEVER}},
        up="compose r2: web",
        left="web+2 running",
        fails="service web: Error response from daemon: web+1 does not start",
        back="compose r1: --pull missing web > edge web: web+2 > edge web: web+2",
    ),
    Case(
        "fails beside, it cannot be started",
        [A],
        web(rules=BESIDE),
        made={"web": {"fate": NEVER}},
        up="compose r2: --no-recreate --scale web=2 web",
        left="a running",
        fails="service web: Error response from daemon: web+1 does not start",
        back=("drain web+1 10 s > stop web+1 > remove web+1 > edge web: a > edge web: a"),
    ),
    Case(
        "fails, it is unhealthy",
        [A],
        web(),
        made={"web": {"fate": UNHEALTHY}},
        up="compose r2: web",
        left="web+2 running",
        fails="service web: is unhealthy",
        back="compose r1: --pull missing web > edge web: web+2 > edge web: web+2",
    ),
    Case(
        "fails beside, it is unhealthy",
        [A],
        web(rules=BESIDE),
        made={"web": {"fate": UNHEALTHY}},
        up="compose r2: --no-recreate --scale web=2 web",
        left="a running",
        fails="service web: is unhealthy",
        back=("edge web: a > drain web+1 10 s > stop web+1 > remove web+1 > edge web: a"),
    ),
    Case(
        "fails beside, the second of two is not begun",
        [A, B],
        web(replicas=2, rules={**BESIDE, "parallelism": 1}),
        made={"web": {"fate": CRASHES}},
        up="compose r2: --no-recreate --scale web=3 web",
        left="a running, b running",
        fails="service web: crashes at start (exit code 0, 5 restarts)",
        back=("drain web+1 10 s > stop web+1 > remove web+1 > edge web: a, b > edge web: a, b"),
    ),
    Case(
        "fails one after the other, the second stays",
        [A, B],
        web(replicas=2, rules=ONE_BY_ONE),
        made={"web": {"fate": UNHEALTHY}},
        up=(
            "edge web: b > drain a 10 s > stop a > remove a > "
            "compose r2: --no-recreate --scale web=2 web"
        ),
        left="b running, web+2 running",
        fails="service web: is unhealthy",
        back=(
            "edge web: b > drain web+1 10 s > stop web+1 > remove web+1 > "
            "compose r1: --pull missing --no-recreate --scale web=2 web > "
            "edge web: b, web+2 > edge web: b, web+2"
        ),
    ),
    Case(
        "fails, it ends",
        [A],
        web(),
        made={"web": {"fate": EXITS}},
        up="compose r2: web",
        left="web+2 running",
        fails="service web: exited with code 3",
        back="compose r1: --pull missing web > edge web: web+2 > edge web: web+2",
    ),
    Case(
        "fails beside, it turns unhealthy while it is watched",
        [A],
        web(rules={**BESIDE, "monitor": 10}),
        made={"web": {"fate": LATER}},
        up="compose r2: --no-recreate --scale web=2 web > edge web: web+1 > 2 s",
        left="a running",
        fails="service web: is unhealthy while it was monitored",
        back=("edge web: a > drain web+1 10 s > stop web+1 > remove web+1 > edge web: a"),
    ),
    Case(
        "fails, the canary turns unhealthy",
        [A],
        web(rules=BESIDE),
        made={"web": {"fate": LATER}},
        routes=routed(**CANARY),
        roll={"with_canary": True},
        up=("compose r2: --no-recreate --scale web=2 web > edge web: a 90%, web+1 10% > 2 s"),
        left="a running",
        fails="service web: canary: is unhealthy while it was monitored",
        back=("edge web: a > drain web+1 10 s > stop web+1 > remove web+1 > edge web: a"),
    ),
    Case(
        "fails beside, the edge does not follow",
        [A],
        web(rules=BESIDE),
        refuses={"edge web: web+1": "the edge does not follow"},
        up="compose r2: --no-recreate --scale web=2 web > edge web: web+1",
        left="a running",
        fails="the edge does not follow",
        back=("edge web: a > drain web+1 10 s > stop web+1 > remove web+1 > edge web: a"),
    ),
    Case(
        "fails in place, the edge does not follow",
        [A],
        web(),
        refuses={"edge web: web+1": "the edge does not follow"},
        up="compose r2: web > edge web: web+1",
        left="web+2 running",
        fails="the edge does not follow",
        back="compose r1: --pull missing web > edge web: web+2 > edge web: web+2",
    ),
    Case(
        "fails beside, the old one is not removed",
        [A],
        web(rules=BESIDE),
        refuses={"remove a": "device busy"},
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a"
        ),
        left="web+2 running",
        fails="the container cannot be removed: device busy",
        back=(
            "drain a 10 s > stop a > remove a > "
            "compose r1: --pull missing --no-recreate --scale web=2 web > edge web: web+2 > "
            "drain web+1 10 s > stop web+1 > remove web+1 > edge web: web+2"
        ),
    ),
    Case(
        "fails one after the other, the old one is not removed",
        [A, B],
        web(replicas=2, rules=ONE_BY_ONE),
        refuses={"remove a": "device busy"},
        up="edge web: b > drain a 10 s > stop a > remove a",
        left="a running, b running",
        fails="the container cannot be removed: device busy",
        back="compose r1: --pull missing web > edge web: a, b > edge web: a, b",
    ),
    Case(
        "fails, what is in the way does not stop",
        [Container("d", "db", ports=(80,)), A],
        {"db": facts(), "web": facts(holds=[PORT])},
        levels=[["web"], ["db"]],
        refuses={"stop d": "cannot stop", "remove d": "device busy"},
        up="stop d > remove d",
        left="d running, a running",
        fails="the container cannot be removed: device busy",
        back="edge web: a",
    ),
    Case(
        "fails, made by hand comes back",
        [replace(A, made="")],
        web(),
        made={"web": {"fate": UNHEALTHY}},
        up="drain a 10 s > stop a > stop a > remove a > compose r2: web",
        left="a running",
        fails="service web: is unhealthy",
        back=(
            "edge web: web+1 > drain web+1 10 s > stop web+1 > remove web+1 > create a > start a"
        ),
    ),
    Case(
        "fails in the second level, the first goes back too",
        [Container("d", "db"), A],
        {"db": facts(), **web(rules=BESIDE)},
        levels=[["db"], ["web"]],
        made={"web": {"fate": UNHEALTHY}},
        up="compose r2: db > compose r2: --no-recreate --scale web=2 web",
        left="a running, db+2 running",
        fails="service web: is unhealthy",
        back=(
            "compose r1: --pull missing db > edge web: a > drain web+1 10 s > stop web+1 > "
            "remove web+1 > edge web: a"
        ),
    ),
    Case(
        "fails, data without a name stays with its service",
        [replace(A, nameless=True)],
        web(),
        made={"web": {"fate": UNHEALTHY}},
        up="compose r2: web",
        left="web+2 running",
        fails="service web: is unhealthy",
        back=(
            "compose r1: --pull missing web > edge web: web+2 > edge web: web+2 > "
            "remove volume eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
        ),
    ),
    Case(
        "fails, the volume goes back to who had it",
        [Container("d", "db", volume="data"), A],
        {"db": facts(), "web": facts(holds=[DATA])},
        levels=[["db", "web"]],
        before={"db": facts(made="old", holds=[DATA]), "web": facts(made="old")},
        made={"web": {"volume": "data", "fate": UNHEALTHY}},
        up="stop d > remove d > compose r2: db web",
        left="db+2 running, web+2 running",
        fails="service web: is unhealthy",
        back=(
            "stop web+1 > remove web+1 > compose r1: --pull missing db web > "
            "edge web: web+2 > edge web: web+2"
        ),
    ),
    Case(
        "fails the first time, nothing is left",
        [],
        web(),
        before=NOTHING_SERVED,
        made={"web": {"fate": UNHEALTHY}},
        up="compose r2: web",
        left="",
        fails="service web: is unhealthy",
        back="stop web+1 > remove web+1",
    ),
    Case(
        "fails, a network that was made anew is made once more",
        [A, Container("d", "db")],
        {"db": facts(), **web()},
        levels=[["db"], ["web"]],
        options={"networks": [NETWORK]},
        made={"web": {"fate": UNHEALTHY}},
        up=(
            "stop a > remove a > stop d > remove d > remove network n1 > compose r2: db > "
            "compose r2: web"
        ),
        left="db+2 running, web+2 running",
        fails="service web: is unhealthy",
        back=(
            "stop web+1 > remove web+1 > stop db+1 > remove db+1 > remove network n2 > "
            "compose r1: --pull missing db > compose r1: --pull missing web > "
            "edge web: web+2 > edge web: web+2"
        ),
    ),
    Case(
        "fails after a service left, it comes back",
        [Container("d", "db"), A],
        web(),
        before=old({"db": facts(), **web()}),
        options={"remove_first": ["db"]},
        made={"web": {"fate": UNHEALTHY}},
        up="stop d > remove d > compose r2: web",
        left="db+1 running, web+2 running",
        fails="service web: is unhealthy",
        back="compose r1: --pull missing db web > edge web: web+2 > edge web: web+2",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exact_commands(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Rolling.on(case, tmp_path, monkeypatch) as rolling:
        assert rolling.outcome() == case.outcome()


@pytest.fixture
def rolling(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rolling]:
    with Rolling.on(request.param, tmp_path, monkeypatch) as found:
        yield found


ENDS = Case("both", [Container("d", "db"), A], web(), before=old({"db": facts(), **web()}))
STAYING = Case(
    "one stays",
    [Container("d", "db"), A],
    {"db": facts(), **web(rules=BESIDE), "new": facts()},
    levels=[["new"], ["web"], ["db"]],
    before=old({"db": facts(), **web(rules=BESIDE)}),
    made={"web": {"fate": UNHEALTHY}},
)
COMING_BACK = Case("one does not come back", [], {"db": facts(), **web()}, levels=[["db"], ["web"]])

TOLERATED = Case(
    "tolerated",
    [A, B],
    web(
        replicas=2,
        rules={**BESIDE, "parallelism": 1, "on_failure": "continue", "max_failure_ratio": 0.5},
    ),
    made={"web": {"fate": f"{UNHEALTHY}, {HEALTHY}"}},
)


def commit(rolling: Rolling) -> str:
    """Take the step that commits ``r2``; its message where it fails."""
    claim = {"token": "t", "by": "me", "purpose": "a test", "release": "r2", "serves": "r1"}
    lease.acquire(rolling.layout, {**claim, "limit": 60, "timeout": 5, "armed": True})
    manifest = {"services": rolling.case.wanted, "order": [["web"]], "routes": []}
    params = {"root": str(rolling.layout.root), "stack": "shop", "lease": "t", "timeout": 5}
    params |= {"release": "r2", "manifest": manifest, "remove": ["db"], "kind": "update"}
    return str(steps.take("commit", params).get("msg", ""))


@pytest.mark.parametrize("rolling", [ENDS], indirect=True)
def test_what_a_release_no_longer_has_goes_after_it_was_committed(rolling: Rolling) -> None:
    rolling.up()
    assert not commit(rolling)
    assert rolling.told()[-2:] == ["stop d", "remove d"]
    assert (rolling.layout.current_id(), rolling.left()) == ("r2", "web+1 running")


@pytest.mark.parametrize("rolling", [ENDS], indirect=True)
def test_a_release_that_crashes_before_its_commit_is_put_back(rolling: Rolling) -> None:
    rolling.up()
    rolling.host.containers["web+1"].fate = EXITS
    assert "service web: exited with code 3" in commit(rolling)
    assert (rolling.told(), rolling.layout.current_id()) == ([], "r1")
    assert rolling.back() == [
        "compose r1: --pull missing web",
        "edge web: web+2",
        "edge web: web+2",
    ]
    assert rolling.left() == "d running, web+2 running"


@pytest.mark.parametrize("rolling", [ENDS], indirect=True)
def test_a_commit_that_cannot_remove_is_put_back(rolling: Rolling) -> None:
    rolling.up()
    rolling.host.refuses["remove d"] = "device busy"
    assert "the container cannot be removed: device busy" in commit(rolling)
    rolling.told()
    rolling.host.refuses.clear()
    put_back.put_back(rolling.layout, "r2", 5, "r1")
    assert rolling.layout.current_id() == "r1"
    assert rolling.left() == "d running, web+2 running"


@pytest.mark.parametrize("rolling", [TOLERATED], indirect=True)
def test_a_failure_that_is_tolerated_is_so_at_the_commit(rolling: Rolling) -> None:
    rolling.up()
    assert not commit(rolling)
    assert (rolling.layout.current_id(), rolling.left()) == ("r2", "web+1 running, web+2 running")


@pytest.mark.parametrize("rolling", [STAYING], indirect=True)
def test_one_that_cannot_be_removed_keeps_nothing_from_coming_back(rolling: Rolling) -> None:
    rolling.up()
    rolling.host.refuses["remove new+1"] = "device busy"
    with pytest.raises(MaestroError, match="release r1 is running again, but the container cannot"):
        put_back.put_back(rolling.layout, "r2", 5)
    assert rolling.told()[-2:] == ["stop new+1", "remove new+1"]
    assert rolling.left() == "d running, a running, new+1 exited"
    assert rolling.back() == ["edge web: a", "stop new+1", "remove new+1"]
    assert rolling.left() == "d running, a running"


@pytest.mark.parametrize("rolling", [COMING_BACK], indirect=True)
def test_one_that_does_not_come_back_keeps_no_other_from_it(rolling: Rolling) -> None:
    rolling.host.files["r1"]["db"].fate = UNHEALTHY
    with pytest.raises(recovery.Incomplete) as caught:
        put_back.put_back(rolling.layout, "r2", 5)
    assert (caught.value.restored, list(caught.value.problems)) == (["web"], ["db"])
    assert rolling.told() == [
        "compose r1: --pull missing db",
        "compose r1: --pull missing web",
        "edge web: web+1",
        "edge web: web+1",
    ]

"""What a roll does to a host: facts in, exact commands out.

The end-to-end tests show the same with a real Engine, a real Compose and a real edge.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recorded_host import DONE, HEALTHY, NETWORK, UNHEALTHY, Container
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

CASES: list[Case] = [
    Case(
        "what is as it should be is not touched",
        [replace(A, made="new")],
        web(),
        up="compose r2: web > edge web: a > edge web: a",
        left="a running",
    ),
    Case(
        "the first deploy",
        [],
        web(),
        before=NOTHING_SERVED,
        up="compose r2: web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "in place: Compose stops the old one and starts the new one",
        [A],
        web(),
        up="compose r2: web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "in place: what is right and stopped is only started",
        [replace(A, made="new", state="exited")],
        web(rules=BESIDE),
        up="compose r2: web > edge web: a > edge web: a",
        left="a running",
    ),
    Case(
        "in place: what is right and unhealthy is made anew",
        [replace(A, made="new", fate=UNHEALTHY)],
        web(),
        up=(
            "drain a 10 s > stop a > remove a > compose r2: web > edge web: web+1 > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "in place: what is to be recreated goes first, or Compose would keep it",
        [replace(A, made="new")],
        web(),
        roll={"recreate": frozenset({"web"})},
        up=(
            "drain a 10 s > stop a > remove a > compose r2: web > edge web: web+1 > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "in place: a container without a check must run for a while",
        [replace(A, checked=False)],
        web(),
        made={"web": {"checked": False}},
        up="compose r2: web > 1 s > edge web: web+1 > edge web: web+1 > 9 s",
        left="web+1 running",
    ),
    Case(
        "in place: data in a volume without a name is handed on by Compose",
        [replace(A, nameless=True)],
        web(),
        up="compose r2: web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "in place: the same for one that is recreated",
        [replace(A, made="new", nameless=True)],
        web(),
        roll={"recreate": frozenset({"web"})},
        up="compose r2: --force-recreate web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "in place: what was made by hand is written down before it goes",
        [replace(A, made="")],
        web(),
        up=(
            "drain a 10 s > stop a > stop a > remove a > compose r2: web > edge web: web+1 > "
            "edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "in place: all replicas at once",
        [A, B],
        web(replicas=2),
        up="compose r2: web > edge web: web+1, web+2 > edge web: web+1, web+2",
        left="web+1 running, web+2 running",
    ),
    Case(
        "beside: the new one takes the requests, the old one drains and goes",
        [A],
        web(rules=BESIDE),
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "beside: without a check the new one runs for a while before the old one goes",
        [replace(A, checked=False)],
        web(rules=BESIDE),
        made={"web": {"checked": False}},
        up=(
            "compose r2: --no-recreate --scale web=2 web > 10 s > edge web: web+1 > "
            "drain a 10 s > stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "beside: what does not run goes first, or Compose would start it",
        [A, replace(B, state="exited")],
        web(rules=BESIDE),
        up=(
            "drain b 10 s > stop b > remove b > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "beside: by ones, with a pause and a watch",
        [A, B],
        web(replicas=2, rules={**BESIDE, "parallelism": 1, "delay": 5, "monitor": 3}),
        up=(
            "compose r2: --no-recreate --scale web=3 web > edge web: web+1, b > 3 s > "
            "drain a 10 s > stop a > remove a > 5 s > "
            "compose r2: --no-recreate --scale web=3 web > edge web: web+1, web+2 > 3 s > "
            "drain b 10 s > stop b > remove b > edge web: web+1, web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "beside: all at once",
        [A, B],
        web(replicas=2, rules=BESIDE),
        up=(
            "compose r2: --no-recreate --scale web=4 web > edge web: web+1, web+2 > "
            "drain a 10 s > drain b 10 s > stop a > remove a > stop b > remove b > "
            "edge web: web+1, web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "beside: fewer replicas",
        [A, B],
        web(rules=BESIDE),
        up=(
            "compose r2: --no-recreate --scale web=3 web > edge web: web+1 > drain a 10 s > "
            "drain b 10 s > stop a > remove a > stop b > remove b > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "beside: more replicas of what is right",
        [replace(A, made="new")],
        web(replicas=2, rules=BESIDE),
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: a, web+1 > edge web: a, web+1"
        ),
        left="a running, web+1 running",
    ),
    Case(
        "beside: data without a name is no second container's",
        [replace(A, nameless=True)],
        web(rules=BESIDE),
        up="compose r2: web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "beside: without a route nothing drains",
        [A],
        web(rules=BESIDE),
        routes=[],
        up="compose r2: --no-recreate --scale web=2 web > stop a > remove a",
        left="web+1 running",
    ),
    Case(
        "one after the other",
        [A, B],
        web(replicas=2, rules={**ONE_BY_ONE, "delay": 5}),
        up=(
            "edge web: b > drain a 10 s > stop a > remove a > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1, b > 5 s > "
            "edge web: web+1 > drain b 10 s > stop b > remove b > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1, web+2 > "
            "edge web: web+1, web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "one after the other: what is right stays",
        [replace(A, made="new"), B],
        web(replicas=2, rules=ONE_BY_ONE),
        up=(
            "edge web: a > drain b 10 s > stop b > remove b > "
            "compose r2: --no-recreate --scale web=2 web > edge web: a, web+1 > "
            "edge web: a, web+1"
        ),
        left="a running, web+1 running",
    ),
    Case(
        "one after the other: fewer replicas",
        [A, B, Container("c")],
        web(replicas=2, rules=ONE_BY_ONE),
        up=(
            "edge web: b, c > drain a 10 s > stop a > remove a > "
            "compose r2: --no-recreate --scale web=2 web > edge web: b, c > edge web: c > "
            "drain b 10 s > stop b > remove b > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1, c > "
            "edge web: web+1 > drain c 10 s > stop c > remove c > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1, web+2 > "
            "edge web: web+1, web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "canary: a part of the requests first",
        [A],
        web(rules=BESIDE),
        routes=routed(**CANARY),
        roll={"with_canary": True},
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: a 90%, web+1 10% > "
            "30 s > edge web: web+1 > drain a 10 s > stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "canary: none on a host that comes later",
        [A],
        web(rules=BESIDE),
        routes=routed(**CANARY),
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
    Case(
        "canary: none in place",
        [A],
        web(),
        routes=routed(**CANARY),
        roll={"with_canary": True},
        up="compose r2: web > edge web: web+1 > edge web: web+1",
        left="web+1 running",
    ),
    Case(
        "levels: what is needed is healthy before the next begins",
        [Container("d", "db"), A],
        {"db": facts(), **web(rules=BESIDE)},
        levels=[["db"], ["web"]],
        up=(
            "compose r2: db > compose r2: --no-recreate --scale web=2 web > "
            "edge web: web+1 > drain a 10 s > stop a > remove a > edge web: web+1"
        ),
        left="db+1 running, web+1 running",
    ),
    Case(
        "levels: beside what serves they are joined",
        [Container("d", "api"), A],
        {"api": facts(rules=BESIDE), **web(rules=BESIDE)},
        levels=[["api"], ["web"]],
        options={"joined": True},
        roll={"apart": True},
        up=(
            "compose r2: --no-recreate --scale api=2 api > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop d > remove d > stop a > remove a > edge web: web+1"
        ),
        left="api+1 running, web+1 running",
    ),
    Case(
        "handover: who writes the volume stops before the next one starts",
        [Container("d", "db", volume="data"), A],
        {"db": facts(), "web": facts(holds=[DATA])},
        levels=[["db", "web"]],
        before={"db": facts(made="old", holds=[DATA]), "web": facts(made="old")},
        made={"web": {"volume": "data"}},
        up=("stop d > remove d > compose r2: db web > edge web: web+1 > edge web: web+1"),
        left="db+1 running, web+1 running",
    ),
    Case(
        "handover: a port",
        [Container("d", "db", ports=(80,)), A],
        {"db": facts(), "web": facts(holds=[PORT])},
        levels=[["web"], ["db"]],
        up=(
            "stop d > remove d > compose r2: web > edge web: web+1 > compose r2: db > "
            "edge web: web+1"
        ),
        left="web+1 running, db+1 running",
    ),
    Case(
        "handover: what leaves goes first where its port is needed",
        [Container("d", "db"), A],
        web(),
        before=old({"db": facts(), **web()}),
        options={"remove_first": ["db"]},
        up=("stop d > remove d > compose r2: web > edge web: web+1 > edge web: web+1"),
        left="web+1 running",
    ),
    Case(
        "handover: it stays with data without a name",
        [Container("d", "db", nameless=True), A],
        web(),
        before=old({"db": facts(), **web()}),
        options={"remove_first": ["db"]},
        up="stop d > compose r2: web > edge web: web+1 > edge web: web+1",
        left="d exited, web+1 running",
    ),
    Case(
        "borrowers go before their owner and come after it",
        [A, Container("s", "side", borrows="a")],
        {"side": facts(borrows=["web"]), **web()},
        levels=[["web"], ["side"]],
        up=(
            "stop s > remove s > compose r2: web > edge web: web+1 > compose r2: side > "
            "edge web: web+1"
        ),
        left="web+1 running, side+1 running",
    ),
    Case(
        "who asks for it is restarted with what it needs",
        [Container("d", "db"), replace(A, made="new")],
        {"db": facts(), **web(restarts_with=["db"])},
        levels=[["db"], ["web"]],
        before={"db": facts(made="old"), **web(restarts_with=["db"])},
        up=(
            "compose r2: db > compose r2: web > edge web: a > restart a > edge web: a > edge web: a"
        ),
        left="a running, db+1 running",
    ),
    Case(
        "a job runs to its end before what needs it",
        [A],
        {"seed": facts(job={"waited": True}), **web(rules=BESIDE)},
        levels=[["seed"], ["web"]],
        before=old(web()),
        made={"seed": {"fate": DONE}},
        up=(
            "compose r2: seed > compose r2: --no-recreate --scale web=2 web > "
            "edge web: web+1 > drain a 10 s > stop a > remove a > edge web: web+1"
        ),
        left="seed+1 exited, web+1 running",
    ),
    Case(
        "a job that was done is not done again",
        [replace(Container("s", "seed"), made="new", fate=DONE), A],
        {"seed": facts(job={"waited": True}), **web(rules=BESIDE)},
        levels=[["seed"], ["web"]],
        before={"seed": facts(job={"waited": True}), **old(web())},
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a > edge web: web+1"
        ),
        left="s exited, web+1 running",
    ),
    Case(
        "a network is made anew without anybody on it",
        [A, Container("d", "db")],
        {"db": facts(), **web()},
        levels=[["db"], ["web"]],
        options={"networks": [NETWORK]},
        up=(
            "stop a > remove a > stop d > remove d > remove network n1 > compose r2: db > "
            "compose r2: web > edge web: web+1 > edge web: web+1"
        ),
        left="db+1 running, web+1 running",
    ),
    Case(
        "tolerated: one of two may fail",
        [A, B],
        web(
            replicas=2,
            rules={**BESIDE, "parallelism": 1, "on_failure": "continue", "max_failure_ratio": 0.5},
        ),
        made={"web": {"fate": f"{UNHEALTHY}, {HEALTHY}"}},
        up=(
            "compose r2: --no-recreate --scale web=3 web > edge web: b > drain a 10 s > "
            "stop a > remove a > compose r2: --no-recreate --scale web=3 web > "
            "edge web: web+2 > drain b 10 s > stop b > remove b > edge web: web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "tolerated: one after the other",
        [A, B],
        web(replicas=2, rules={**ONE_BY_ONE, "on_failure": "continue", "max_failure_ratio": 0.5}),
        made={"web": {"fate": f"{UNHEALTHY}, {HEALTHY}"}},
        up=(
            "edge web: b > drain a 10 s > stop a > remove a > "
            "compose r2: --no-recreate --scale web=2 web > edge web: b > edge web:  > "
            "drain b 10 s > stop b > remove b > "
            "compose r2: --no-recreate --scale web=2 web > edge web: web+2 > edge web: web+2"
        ),
        left="web+1 running, web+2 running",
    ),
    Case(
        "one that does not stop is killed",
        [A],
        web(rules=BESIDE),
        refuses={"stop a": "cannot stop"},
        up=(
            "compose r2: --no-recreate --scale web=2 web > edge web: web+1 > drain a 10 s > "
            "stop a > remove a > edge web: web+1"
        ),
        left="web+1 running",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exact_commands(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Rolling.on(case, tmp_path, monkeypatch) as rolling:
        assert rolling.outcome() == case.outcome()

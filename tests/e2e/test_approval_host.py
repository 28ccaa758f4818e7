"""A host that asks for signed approvals refuses everything else, whoever asks and however.

The steps are taken by the host's own program, as any controller has it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from direct import IMAGE, ROOT, Direct
from e2e import lab
from issuer import Local

from maestro import records
from maestro.errors import MaestroError
from maestro.host.identity import NAMESPACE
from maestro.host.layout import AGENT
from maestro.host.signature import TIME, Statement
from maestro.plan import rollback, rotation
from maestro.plan.rollout import Decision
from maestro.play import controller
from maestro.secrets import renewal

STACK = "asks"
WEB = {
    "image": IMAGE,
    "command": ["busybox", "sleep", "1000"],
    "init": True,
    "stop_grace_period": "1s",
    "secrets": ["key"],
}


def compose(version: str) -> dict[str, Any]:
    web = {**WEB, "environment": {"VERSION": version}}
    return {"services": {"web": web}, "secrets": {"key": {"file": "./key"}}}


class Asking:
    """A host that asks, and who may approve there."""

    def __init__(self, direct: Direct, home: Path) -> None:
        self.direct, self.home = direct, home
        for name in ("alice", "bob", "mallory"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
            subprocess.run(key, check=True)

    def settings(self, *signers: str, **changes: Any) -> dict[str, Any]:
        keys = {name: (self.home / f"{name}.pub").read_text().strip() for name in signers}
        return {
            "host": self.direct.host,
            "environment": "staging",
            "approval": True,
            "signers": [{"name": name, "key": key} for name, key in keys.items()],
            **changes,
        }

    def tell(self, settings: dict[str, Any]) -> dict[str, Any]:
        return self.direct.step("identity", settings=settings, by="carol@desk")

    def signed(self, decision: Decision, who: str = "alice", **changes: Any) -> Decision:
        """The decision with an approval; ``changes`` are of its statement."""
        document, now = decision.document, time.time()
        assert document
        found = Statement(
            plan=document.hash,
            operation=document.operation,
            stack=document.stack,
            environment=document.environment,
            hosts=tuple(document.parts),
            purpose="a test",
            approver=who,
            at=time.strftime(TIME, time.gmtime(now)),
            expires=time.strftime(TIME, time.gmtime(now + 3600)),
            id=f"{now}",
        )
        text = replace(found, **changes).text
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(self.home / who)]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=True)
        decision.approval = {"statement": text, "signature": done.stdout}
        return decision

    def decide(self, version: str) -> Decision:
        self.direct.write(STACK, compose(version))
        return self.direct.decide(STACK, version)

    def carry_out(self, decision: Decision) -> bool:
        return self.direct.carry_out(STACK, decision, self.direct.request(STACK, "v1"))

    def states(self, state: dict[str, Any]) -> Any:
        return controller.whole({self.direct.host: state}, records.History)

    def footprint(self) -> str:
        return lab.ssh(
            self.direct.host,
            f"docker ps -aq --no-trunc; ls {ROOT}/{STACK} {ROOT}/{STACK}/releases; "
            f"cat /etc/maestro/host.json /etc/maestro/allowed_signers; ls {ROOT}",
        )


@pytest.fixture(scope="module")
def asking(direct: Direct, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """The stack runs there in version v1, deployed with an approval."""
    found = Asking(direct, tmp_path_factory.mktemp("keys"))
    direct.values["key"] = "of today"
    lab.forget(direct.host)
    found.tell(found.settings("alice", "bob"))
    try:
        assert found.carry_out(found.signed(found.decide("v1")))
        yield found
    finally:
        lab.forget(direct.host)


def test_what_was_approved_is_done_and_recorded(asking: Asking) -> None:
    assert not asking.carry_out(asking.decide("v1")), "nothing to do needs nobody"
    started = time.monotonic()
    decision = asking.signed(asking.decide("v2"))
    assert asking.carry_out(decision)
    assert time.monotonic() - started < 60
    events = asking.direct.step("journal", stack=STACK, last=1)["events"]
    assert (events[0]["result"], events[0]["approved_by"]) == ("done", "alice")
    assert events[0]["plan"] == decision.digest
    back = rollback.Asked(STACK, "staging", run=controller.this_run())
    state = asking.direct.step("history", stack=STACK, to="", wait=0)
    found = rollback.decide(back, asking.states(state))
    assert asking.carry_out(asking.signed(found, "bob"))


def test_an_older_version_that_knows_no_approvals_is_refused(asking: Asking) -> None:
    """Which brings its own program, unless the host's refuses it or somebody holds the lease."""
    host, before = asking.direct.host, asking.footprint()
    said = lab.ssh(host, f"python3 {AGENT} step state 0123456789ab </dev/null")
    assert json.loads(said)["failed"] is True
    assert "which this version of Maestro does not know" in said
    held = json.loads(lab.ssh(host, f"cat {ROOT}/{STACK}/lease.json"))
    assert held["limit"] > 1e9, "it counts as held for ever"
    assert asking.footprint() == before


def test_twenty_ways_around(asking: Asking) -> None:
    good = asking.signed(asking.decide("v3"))
    other = asking.signed(asking.decide("v4")).approval

    def fresh(**changes: Any) -> Decision:
        return replace(asking.decide("v3"), **changes)

    def hours(number: float) -> str:
        return time.strftime(TIME, time.gmtime(time.time() + number * 3600))

    ways: dict[str, Callable[[], Decision]] = {
        "this run has none": lambda: fresh(document=None),
        "needs a signed approval": fresh,
        "needs a signed approval ": lambda: fresh(
            approval={"approved_by": "jo", "approved_plan": good.digest}
        ),
        "the approval is for plan": lambda: fresh(approval=other),
        "is not mallory's|may not approve": lambda: asking.signed(fresh(), "mallory"),
        "the signature is not alice's": lambda: asking.signed(fresh(), "bob", approver="alice"),
        "has expired": lambda: asking.signed(fresh(), at=hours(-3), expires=hours(-1)),
        "has expired ": lambda: asking.signed(fresh(), at=hours(-30), expires=hours(9)),
        "still to come": lambda: asking.signed(fresh(), at=hours(2), expires=hours(3)),
        "is for production": lambda: asking.signed(fresh(), environment="production"),
        "the approval is for plan ": lambda: asking.signed(fresh(), operation="rollback"),
        "the approval is for plan  ": lambda: asking.signed(fresh(), stack="other"),
        "the plan is for production": lambda: elsewhere(asking, environment="production"),
        "this host is not in the plan": lambda: renamed(asking),
        "cannot be read": lambda: fresh(approval={"statement": "{}", "signature": "x"}),
    }
    before = asking.footprint()
    for why, make in ways.items():
        with pytest.raises(MaestroError, match=why.strip()):
            asking.carry_out(make())
        assert asking.footprint() == before, why


def elsewhere(asking: Asking, **changes: Any) -> Decision:
    decision = asking.decide("v3")
    assert decision.document
    return asking.signed(replace(decision, document=replace(decision.document, **changes)))


def renamed(asking: Asking) -> Decision:
    """As an inventory has it in which the host has another name."""
    decision = asking.decide("v3")
    assert decision.document
    parts = decision.document.parts
    named = replace(decision.document, parts={"web-9": parts[asking.direct.host]})
    claim = {"head": named.head, "part": parts[asking.direct.host]}
    decision = asking.signed(replace(decision, document=named))
    work = decision.hosts[asking.direct.host]
    work["claim"]["approval"] = {**claim, **decision.approval}
    return replace(decision, document=None)


def test_ways_around_of_other_operations(asking: Asking) -> None:
    direct, run = asking.direct, controller.this_run()
    kept = direct.step("history", stack=STACK, to="", wait=0)
    to = max(release for release in kept["releases"] if release != kept["release"]["id"])
    state = direct.step("history", stack=STACK, to=to, wait=0)
    back = rollback.decide(rollback.Asked(STACK, "staging", to, run=run), asking.states(state))
    direct.values["key"] = "of tomorrow"
    choice = renewal.Choice(["key"])
    versions = direct._versions(direct.request(STACK))
    rotated = rotation.decide(rotation.Asked(STACK, "staging", choice, run=run), versions)
    direct.values["key"] = "of today"
    before = asking.footprint()
    for decision in (back, rotated):
        with pytest.raises(MaestroError, match="needs a signed approval"):
            asking.carry_out(decision)
    with pytest.raises(MaestroError, match="needs a signed approval"):
        direct.take_away(STACK)
    # An approved rotation, with another value than the one that was approved.
    with pytest.raises(MaestroError, match="the value of key is another"):
        asking.carry_out(asking.signed(rotated))
    # What the host is.
    for settings in (
        asking.settings("alice", "bob", approval=False),
        asking.settings("alice", "bob", "mallory"),
        asking.settings("alice", "bob", environment="development"),
        asking.settings("alice", "bob", own=["bob"]),
    ):
        with pytest.raises(MaestroError, match="this run has none"):
            asking.tell(settings)
    with pytest.raises(MaestroError, match="nobody approved"):
        direct.step("pull", request={"stack": STACK}, images=[IMAGE], payload='{"login": {}}')
    assert asking.footprint() == before


def test_another_step_than_was_approved(asking: Asking) -> None:
    """With a valid approval and its lease: other files, services, checks and manifests."""
    direct, decision = asking.direct, asking.signed(asking.decide("v5"))
    work: Any = decision.hosts[direct.host]
    decision.answer()
    claim = {**work["claim"], "limit": 60, "timeout": 30, "token": "t1"}
    taken = {"stack": STACK, "state": "acquired", "expect": work["expect"]}
    direct.step("lease", **taken, claim=claim)
    held = {"stack": STACK, "lease": "t1"}
    before = asking.footprint()
    text = work["compose"].replace("sleep", "false")
    steps: list[tuple[str, dict[str, Any]]] = [
        ("stage", {"release": work["release"], "compose": text, "configs": {}}),
        (
            "commit",
            {
                "release": work["release"],
                "manifest": {**work["manifest"], "version": "v9"},
                "remove": work["remove"],
                "timeout": 30,
            },
        ),
        ("remove", {"volumes": [], "timeout": 30}),
        ("smoke", {"release": work["release"], "checks": [{"tcp": {"port": 1}}]}),
        (
            "put_back",
            {"release": work["release"], "serves": "20200101T000000Z-0000", "timeout": 30},
        ),
    ]
    try:
        for name, params in steps:
            with pytest.raises(MaestroError, match=r"is not what was approved|not the release"):
                direct.step(name, **held, **params)
        assert asking.footprint() == before
        refused = {**claim, "token": "t2"}
        with pytest.raises(MaestroError, match="is being changed"):
            direct.step("lease", **taken, claim=refused)
    finally:
        direct.step("lease", stack=STACK, state="released", token="t1")


def test_an_approval_is_used_once(asking: Asking) -> None:
    once = f"once-{time.time()}"
    decision = asking.signed(asking.decide("v6"), id=once)
    assert asking.carry_out(decision)
    again = asking.signed(asking.decide("v7"), id=once)
    with pytest.raises(MaestroError, match="was used already"):
        asking.carry_out(again)


def test_a_token_of_a_ci_approves_one_plan(asking: Asking) -> None:
    """The host verifies it by itself, with the key that is pinned there."""
    issuer, host = Local("ES256"), asking.direct.host
    lab.forget(host)
    asking.tell(asking.settings("alice", issuers=[issuer.settings()]))
    decision = asking.decide("v9")
    assert decision.document
    plan = decision.document.hash
    before = asking.footprint()
    for token, why in (
        (Local("ES256").token(plan), "is not its issuer's"),
        (issuer.token(plan, environment="staging"), "is of another job"),
        (issuer.token("0" * 64), "the approval is for plan 000000000000"),
    ):
        with pytest.raises(MaestroError, match=why):
            asking.carry_out(replace(decision, approval={"token": token}))
    assert asking.footprint() == before
    assert asking.carry_out(replace(decision, approval={"token": issuer.token(plan)}))
    (event,) = asking.direct.step("journal", stack=STACK, last=1)["events"]
    assert event["approved_by"] == "us/shop, environment production, started by ana"


def test_no_step_is_left_out(asking: Asking) -> None:
    """With a valid approval, its lease and the right words: the release is not committed."""
    direct, decision = asking.direct, asking.signed(asking.decide("v10"))
    work: Any = decision.hosts[direct.host]
    decision.answer()
    claim = {**work["claim"], "limit": 60, "timeout": 30, "token": "t1"}
    direct.step("lease", stack=STACK, state="acquired", expect=work["expect"], claim=claim)
    same = {key: work[key] for key in ("release", "manifest", "remove")}
    before = asking.footprint()
    try:
        with pytest.raises(MaestroError, match=r"approved and not taken: stage, (secrets, )?up"):
            direct.step("commit", stack=STACK, lease="t1", **same, timeout=30)
        assert asking.footprint() == before
    finally:
        direct.step("lease", stack=STACK, state="released", token="t1")


def test_no_stack_can_write_what_the_host_is(asking: Asking) -> None:
    direct = asking.direct
    direct.write("writes", {"services": {"web": {**WEB, "secrets": [], "volumes": ["/etc:/x"]}}})
    with pytest.raises(MaestroError, match="/etc"):
        direct.decide("writes")


def test_a_removed_signer(asking: Asking) -> None:
    """Root changes the host's file here, as provisioning does with an approval."""
    lab.forget(asking.direct.host)
    asking.tell(asking.settings("alice", "bob"))
    decision = asking.signed(asking.decide("v8"))
    lab.forget(asking.direct.host)
    asking.tell(asking.settings("bob"))
    with pytest.raises(MaestroError, match=r"alice may not approve changes here\n.*bob"):
        asking.carry_out(decision)
    path = "/etc/maestro/host.json"
    lab.ssh(asking.direct.host, f"cp -a {path} /root/told.json; echo nonsense > {path}")
    try:
        with pytest.raises(MaestroError, match="is damaged"):
            asking.carry_out(decision)
    finally:
        lab.ssh(asking.direct.host, f"mv /root/told.json {path}")

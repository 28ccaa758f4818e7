"""What a host refuses that its approvers did not approve, with real keys of ssh-keygen."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import approval, identity, lease, plan_hash, provisioning, signature, steps
from maestro.host.identity import Identity, Signer
from maestro.host.layout import Layout
from maestro.host.signature import Statement

STATE = {"release": "r1", "containers": ["c1", "c2"]}
STOPPED = {"release": "20261127T000000Z-abcd", "serves": "r1"}
REMOVAL = {"volumes": ["data"]}
DAEMON = {"content": "", "timeout": 1, "accept_other_data": False}
RAN = {"id": "c1", "name": "db"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for each of alice, bob and mallory."""
    home = tmp_path_factory.mktemp("keys")
    for name in ("alice", "bob", "mallory"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(home / name)]
        subprocess.run(argv, check=True)
    return home


def signed(keys: Path, who: str, text: str, namespace: str = identity.NAMESPACE) -> str:
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(keys / who)]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(identity, "HOME", tmp_path / "etc")
    found = Layout(tmp_path / "opt", "shop")
    found.make_home()
    return found


@pytest.fixture
def host(keys: Path, layout: Layout) -> Callable[..., Identity]:
    """Make the host what is said."""

    def make(**changes: Any) -> Identity:
        signers = tuple(
            Signer(f"{name}@example.org", (keys / f"{name}.pub").read_text().rpartition(" ")[0])
            for name in ("alice", "bob")
        )
        found = Identity("web-1", "production", True, signers)
        found = replace(found, **changes)
        identity.write(found)
        return found

    return make


def part(layout: Layout, **changes: Any) -> dict[str, Any]:
    return {
        "root": str(layout.root),
        "state": STATE,
        "facts": {"version": "v2"},
        "secrets": {},
        "work": {"remove": plan_hash.of_step("remove", REMOVAL, "")},
        **changes,
    }


def claim(part: dict[str, Any], **changes: Any) -> dict[str, Any]:
    head = {
        "schema": 1,
        "operation": "deploy",
        "stack": "shop",
        "environment": "production",
        "waves": [["web-1"]],
        "hosts": {"web-1": plan_hash.digest(part)},
        **changes,
    }
    return {"head": head, "part": part}


def statement(said: dict[str, Any], **changes: Any) -> Statement:
    now = time.time()
    found = Statement(
        plan=plan_hash.digest(said["head"]),
        operation="deploy",
        stack="shop",
        environment="production",
        hosts=("web-1",),
        purpose="release 2",
        approver="alice@example.org",
        at=time.strftime(signature.TIME, time.gmtime(now)),
        expires=time.strftime(signature.TIME, time.gmtime(now + 3600)),
        id="0123",
    )
    return replace(found, **changes)


def at(hours: float) -> str:
    return time.strftime(signature.TIME, time.gmtime(time.time() + hours * 3600))


def approve(keys: Path, said: dict[str, Any], who: str = "alice", **changes: Any) -> dict[str, Any]:
    text = statement(said, **changes).text
    return {**said, "statement": text, "signature": signed(keys, who, text)}


def asked(layout: Layout, **changes: Any) -> dict[str, Any]:
    return {"stack": "shop", "root": str(layout.root), "state": STATE, **changes}


def refused(layout: Layout, said: dict[str, Any], why: str, by: str = "carol@laptop") -> str:
    with pytest.raises(MaestroError, match=why) as caught:
        approval.check(said, by, asked(layout))
    assert caught.value.fix
    assert caught.value.where
    return str(caught.value)


def test_a_signed_approval_of_this_plan(layout: Layout, host: Any, keys: Path) -> None:
    host()
    found = approval.check(approve(keys, claim(part(layout))), "carol@laptop", asked(layout))
    assert found
    assert (found.shown, found.serves) == ("alice@example.org", "r1")
    assert len(found.plan) == 64


def test_a_host_that_asks_for_none(layout: Layout, host: Any) -> None:
    assert approval.check({}, "carol@laptop", asked(layout)) is None
    host(approval=False)
    assert approval.check({}, "carol@laptop", asked(layout)) is None


def test_no_approval_at_all(layout: Layout, host: Any) -> None:
    host()
    refused(layout, {}, "asks for an approval: this run has none")
    refused(layout, claim(part(layout)), "needs a signed approval")
    named = {**claim(part(layout)), "approved_by": "jo", "approved_plan": "0" * 12}
    refused(layout, named, "needs a signed approval")


def test_a_forged_one(layout: Layout, host: Any, keys: Path) -> None:
    host()
    said = claim(part(layout))
    refused(layout, approve(keys, said, "mallory"), "the signature is not alice@example.org's")
    refused(layout, approve(keys, said, "bob"), "the signature is not alice@example.org's")
    good = approve(keys, said)
    longer = {**good, "statement": statement(said, expires=at(20)).text}
    refused(layout, longer, "the signature is not")
    text = statement(said).text
    other = {**good, "signature": signed(keys, "alice", text, "file"), "statement": text}
    refused(layout, other, "the signature is not")
    refused(layout, {**good, "signature": "none"}, "the signature is not")
    with pytest.raises(MaestroError, match="cannot be read"):
        approval.check({**good, "statement": "{}"}, "carol@laptop", asked(layout))


def test_one_who_may_not(layout: Layout, host: Any, keys: Path) -> None:
    found = host()
    said = claim(part(layout))
    refused(
        layout,
        approve(keys, said, "mallory", approver="mallory@example.org"),
        "mallory@example.org may not approve changes here",
    )
    good = approve(keys, said)
    host(signers=found.signers[1:])
    refused(layout, good, "alice@example.org may not approve changes here")


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"at": at(-3), "expires": at(-1)}, "has expired"),
        # However long the approver says: the host has a limit of its own.
        ({"at": at(-25), "expires": at(100)}, "at most 24 hours here"),
        ({"at": at(2), "expires": at(3)}, "still to come"),
    ],
)
def test_one_out_of_time(
    layout: Layout, host: Any, keys: Path, times: dict[str, str], why: str
) -> None:
    host()
    refused(layout, approve(keys, claim(part(layout)), **times), why)


@pytest.mark.parametrize("by", ["alice@laptop", "Alice@laptop", "alice@example.org", "alice"])
def test_who_approves_does_not_run_it(layout: Layout, host: Any, keys: Path, by: str) -> None:
    host()
    said = approve(keys, claim(part(layout)))
    text = refused(layout, said, "approved a plan and runs it", by)
    assert "maestro_approval_self: [alice@example.org]" in text
    host(own=("alice@example.org",))
    found = approval.check(said, by, asked(layout))
    assert found
    assert found.shown == "alice@example.org (own plan)"


def test_a_signer_with_other_accounts(layout: Layout, host: Any, keys: Path) -> None:
    alice, bob = host().signers
    host(signers=(replace(alice, accounts=("asmith",)), bob))
    said = approve(keys, claim(part(layout)))
    refused(layout, said, "approved a plan and runs it", "asmith@ci")
    assert approval.check(said, "alice@laptop", asked(layout))


def test_another_environment(layout: Layout, host: Any, keys: Path) -> None:
    host()
    other = claim(part(layout), environment="staging")
    refused(layout, approve(keys, other, environment="staging"), "the plan is for staging")
    said = claim(part(layout))
    refused(layout, approve(keys, said, environment="staging"), "the approval is for staging")


def test_another_host_stack_operation_or_plan(layout: Layout, host: Any, keys: Path) -> None:
    host()
    mine = part(layout)
    elsewhere = claim(mine, hosts={"web-9": plan_hash.digest(mine)})
    refused(layout, approve(keys, elsewhere), "this host is not in the plan")
    said = approve(keys, claim(mine))
    refused(layout, {**said, "part": {**mine, "work": {}}}, "is not what the plan says")
    refused(layout, approve(keys, claim(mine, stack="other")), "is for another stack")
    refused(layout, approve(keys, claim(mine), operation="removal"), "the approval is for plan")
    two = claim(part(layout, facts={"version": "v3"}))
    refused(layout, {**two, **{k: said[k] for k in ("statement", "signature")}}, "is for plan")
    refused(layout, approve(keys, claim(mine, schema=9)), "is not what the plan says")


@pytest.mark.parametrize("state", [{**STATE, "release": "r0"}, {**STATE, "containers": ["c9"]}])
def test_another_state(layout: Layout, host: Any, keys: Path, state: dict[str, Any]) -> None:
    host()
    refused(layout, approve(keys, claim(part(layout, state=state))), "is for another state")


def test_an_approval_is_for_one_run(layout: Layout, host: Any, keys: Path) -> None:
    host()
    said = approve(keys, claim(part(layout)))
    for _ in range(2):  # a run that changed nothing did not use it
        found = approval.check(said, "carol@laptop", asked(layout))
    assert found
    approval.burn(found)
    refused(layout, said, "was used already")


def test_a_claimed_one(layout: Layout, host: Any) -> None:
    host(signers=())
    said = claim(part(layout))
    plan = plan_hash.digest(said["head"])
    good = {**said, "approved_by": "jo", "approved_plan": plan[:12]}
    found = approval.check(good, "carol@laptop", asked(layout))
    assert found
    assert found.shown == "jo"
    for changes in ({"approved_by": " "}, {"approved_plan": ""}, {"approved_plan": plan[:4]}):
        refused(layout, {**good, **changes}, "needs an approval of this plan")
    refused(layout, {**good, "approved_plan": "0" * 12}, "the approval is for plan 000000000000")


def test_what_says_so_is_damaged(layout: Layout, host: Any) -> None:
    host()
    (identity.HOME / "host.json").write_text("{")
    with pytest.raises(MaestroError, match="is damaged"):
        approval.check({}, "carol@laptop", asked(layout))


# Steps under a lease


def take(layout: Layout, name: str, **params: Any) -> dict[str, Any]:
    given = steps.STEPS[name].specification()
    defaults = {key: fact["default"] for key, fact in given.items() if "default" in fact}
    said = {"root": str(layout.root), "stack": "shop", **defaults, **params}
    return steps.take(name, said)


@pytest.fixture
def leased(layout: Layout, host: Any, keys: Path) -> Layout:
    """A lease that was taken with an approval to remove the volume ``data``."""
    host()
    found = approval.check(approve(keys, claim(part(layout))), "carol@laptop", asked(layout))
    assert found
    claimed = {"token": "t1", "by": "carol@laptop", "purpose": "removal", **STOPPED}
    lease.acquire(layout, {**claimed, "limit": 60, "timeout": 60, "armed": False})
    approval.keep(layout, found, "t1", STOPPED["release"])
    return layout


def test_no_step_without_an_approval(layout: Layout, host: Any) -> None:
    """Who has a lease by other means has no approval."""
    host()
    claimed = {"token": "t1", "by": "carol@laptop", "purpose": "deploy", **STOPPED}
    lease.acquire(layout, {**claimed, "limit": 60, "timeout": 60, "armed": False})
    for name in sorted(steps.STEPS):
        if steps.STEPS[name].leased:
            params = {key: _any(fact) for key, fact in steps.STEPS[name].specification().items()}
            params |= {"root": str(layout.root), "stack": "shop", "lease": "t1"}
            answer = take(layout, name, **params)
            assert answer["failed"], name
            assert "nobody approved what this run does here" in answer["msg"], name
    answer = take(layout, "pull", request={"stack": "shop"}, images=["x"], payload="{}")
    assert "nobody approved" in answer["msg"]
    answer = take(layout, "lease", state="acquired", claim=claimed, expect=STATE)
    assert "asks for an approval: this run has none" in answer["msg"]


def _any(fact: Any) -> Any:
    kinds = {"str": "x", "dict": {}, "list": [], "bool": False, "int": 1, "float": 1.0}
    return kinds.get(fact["type"], "shop") if fact.get("required") else fact.get("default")


def test_a_call_that_is_made_anew_has_its_lease(
    leased: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection broke after a step that used the approval."""
    approval.step(leased, "remove", REMOVAL, "t1")
    claimed = {"token": "t1", "by": "carol@laptop", "purpose": "deploy", **STOPPED}
    given = {"state": "acquired", "expect": STATE, "claim": claimed}
    assert take(leased, "lease", **given)["token"] == "t1"
    given["claim"] = {**claimed, "token": "t2"}
    assert take(leased, "lease", **given)["failed"]
    monkeypatch.setattr(approval, "_kept", lambda _: None)
    given["claim"] = claimed
    assert "asks for an approval" in take(leased, "lease", **given)["msg"]


def test_only_what_was_approved(leased: Layout) -> None:
    approval.step(leased, "remove", REMOVAL, "t1")
    for params in ({"volumes": []}, {"volumes": ["data", "more"]}):
        with pytest.raises(MaestroError, match="this is not what was approved"):
            approval.step(leased, "remove", params, "t1")
    with pytest.raises(MaestroError, match="this is not what was approved"):
        approval.step(leased, "commit", {"release": "r2", "manifest": {}, "remove": []}, "t1")
    with pytest.raises(MaestroError, match="nobody approved"):
        approval.step(leased, "remove", REMOVAL, "t2")


def test_back_to_what_served_and_nowhere_else(leased: Layout) -> None:
    approval.step(leased, "put_back", STOPPED, "t1")
    for changes in ({"serves": "r0"}, {"release": "r1"}):
        with pytest.raises(MaestroError, match="not the release that this run began with"):
            approval.step(leased, "put_back", {**STOPPED, **changes}, "t1")


def test_the_value_of_a_secret(layout: Layout, host: Any, keys: Path) -> None:
    host()
    files = {"files": [{"name": "token", "version": STOPPED["release"], "uid": 1}]}
    work = {"secrets": plan_hash.of_step("secrets", files, STOPPED["release"])}
    mine = part(layout, work=work, secrets=identity.fingerprints({"token": "of today"}))
    assert "of today" not in json.dumps(mine)
    found = approval.check(approve(keys, claim(mine)), "carol@laptop", asked(layout))
    assert found
    approval.keep(layout, found, "t1", STOPPED["release"])
    for value, good in (("of today", True), ("of tomorrow", False)):
        params = {**files, "payload": json.dumps({"secrets": {"token": value}})}
        if good:
            approval.step(layout, "secrets", params, "t1")
            continue
        with pytest.raises(MaestroError, match="the value of token is another") as caught:
            approval.step(layout, "secrets", params, "t1")
        assert value not in str(caught.value)


def test_a_secret_without_a_fingerprint(leased: Layout) -> None:
    """A host that has lost its key cannot compare a value, and takes none for the same."""
    found = approval._kept(leased)
    assert found
    files = {"files": [{"name": "token", "version": STOPPED["release"], "uid": 1}]}
    work = {"secrets": plan_hash.of_step("secrets", files, STOPPED["release"])}
    approval.keep(leased, replace(found, steps=work, secrets={}), "t1", STOPPED["release"])
    (identity.HOME / "fingerprint.key").unlink()
    params = {**files, "payload": json.dumps({"secrets": {"token": "any"}})}
    with pytest.raises(MaestroError, match="the value of token is another"):
        approval.step(leased, "secrets", params, "t1")


CHECKS = {"release": STOPPED["release"], "checks": [{"tcp": {"port": 1}}]}
COMMIT = {"release": STOPPED["release"], "manifest": {"id": STOPPED["release"]}, "remove": []}


@pytest.fixture
def deploying(leased: Layout) -> Layout:
    """A lease that was taken to check a release and commit it."""
    found, release = approval._kept(leased), STOPPED["release"]
    assert found
    given = {"smoke": CHECKS, "commit": COMMIT}
    work = {name: plan_hash.of_step(name, params, release) for name, params in given.items()}
    approval.keep(leased, replace(found, steps=work, needs=("smoke",)), "t1", release)
    return leased


def test_no_step_is_left_out(deploying: Layout) -> None:
    """As `--step` does, or a playbook without the checks."""
    with pytest.raises(MaestroError, match="approved and not taken: smoke"):
        approval.step(deploying, "commit", COMMIT, "t1")
    approval.done(deploying, "smoke", "t2")
    with pytest.raises(MaestroError, match="not taken: smoke"):
        approval.step(deploying, "commit", COMMIT, "t1")
    approval.step(deploying, "smoke", CHECKS, "t1")
    approval.done(deploying, "smoke", "t1")
    approval.step(deploying, "commit", COMMIT, "t1")


def test_the_same_step_of_another_release(deploying: Layout) -> None:
    """One that the host keeps, with files that nobody approved now."""
    for name, params in (("smoke", CHECKS), ("commit", COMMIT)):
        with pytest.raises(MaestroError, match="this is not what was approved"):
            approval.step(deploying, name, {**params, "release": "r1"}, "t1")


@pytest.mark.parametrize("release", ["r1", "../r1", "x # y"])
def test_a_release_to_come_is_new(deploying: Layout, release: str) -> None:
    """Its id stands for something in what was approved: it may not choose what that is."""
    found = approval._kept(deploying)
    assert found
    (deploying.releases / "r1").mkdir(parents=True)
    with pytest.raises(MaestroError, match=r"is there already|cannot name a release"):
        approval.keep(deploying, found, "t1", release)


# What the host is


def test_what_a_host_is_changes_with_an_approval(layout: Layout, host: Any, keys: Path) -> None:
    found = host()
    off = {**found.as_dict(), "approval": False}

    def provision(said: dict[str, Any], **more: Any) -> dict[str, Any]:
        given = {"stack": "", "settings": said, "by": "carol@laptop", **more}
        return take(layout, "identity", **given)

    assert "this run has none" in provision(off)["msg"]
    assert "this run has none" in provision(found.as_dict())["msg"], "the rest of it too"
    mine = {"root": str(layout.root), "operations": 0, "settings": off}
    changes = {"operation": "provisioning", "stack": ""}
    said = approve(keys, claim(mine, **changes), **changes)
    other = {**off, "environment": "staging"}
    assert "is for another settings" in provision(other, approval=said)["msg"]
    assert provision(off, approval=said) == {"changed": True}
    assert identity.read() == replace(found, approval=False)
    assert provision(off) == {"changed": False}
    assert provision(found.as_dict()) == {"changed": True}, "to ask for one needs none"
    assert "is for another state" in provision(off, approval=said)["msg"], "and is for once"


def test_the_engine_and_the_edge_are_changed_by_approved_provisioning_alone(
    layout: Layout, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval.provisioned("the edge")
    host()
    with pytest.raises(MaestroError, match="before the edge is changed") as caught:
        approval.provisioned("the edge")
    assert "maestro.stacks.provision with an approval" in caught.value.fix
    for module, given in (
        (provisioning.run_daemon, {**DAEMON, "state": "running", "running": [RAN]}),
        (provisioning.find_edge_image, {"image": "edge:1", "again": True}),
    ):
        with pytest.raises(MaestroError, match="this run has none"):
            module(given, check=False)
    asked = take(layout, "identity", stack="", state="allowed", what="Maestro's program")
    assert "before Maestro's program is changed" in asked["msg"]
    approval.open_provisioning()
    approval.provisioned("the edge")
    assert take(layout, "identity", stack="", state="allowed") == {"changed": False}
    assert take(layout, "identity", stack="", state="ended") == {"changed": False}
    assert take(layout, "identity", stack="", state="allowed")["failed"]
    approval.open_provisioning()
    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(MaestroError, match="this run has none"):
        approval.provisioned("the edge")


def test_an_approved_deploy_brings_its_program(leased: Layout) -> None:
    for token, good in (("t1", True), ("t2", False), ("", False)):
        answer = take(leased, "identity", stack="shop", state="allowed", token=token)
        assert answer.get("failed", False) is not good, token
    lease.release(leased, "t1")
    assert take(leased, "identity", stack="shop", state="allowed", token="t1")["failed"]


def test_who_is_told_to_ask_is_provisioned_in_the_same_run(layout: Layout, host: Any) -> None:
    settings = host().as_dict()
    (identity.HOME / "host.json").unlink()
    answer = take(layout, "identity", stack="", settings=settings, by="carol@laptop")
    assert answer == {"changed": True}
    approval.provisioned("the edge")


def test_its_files(layout: Layout, host: Any) -> None:
    host()
    modes = {path.name: path.stat().st_mode & 0o777 for path in identity.HOME.iterdir()}
    assert modes == {"host.json": 0o644, "allowed_signers": 0o644, "fingerprint.key": 0o600}
    line = (identity.HOME / "allowed_signers").read_text().splitlines()[0]
    assert line.startswith('alice@example.org namespaces="maestro-approval" ssh-ed25519 ')
    key = (identity.HOME / "fingerprint.key").read_text()
    host(hours=1.0)
    assert (identity.HOME / "fingerprint.key").read_text() == key


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signers": [{"name": "a b", "key": "ssh-ed25519 AAAA"}]}, "as the name of a signer"),
        ({"signers": [{"name": "*", "key": "ssh-ed25519 AAAA"}]}, "as the name of a signer"),
        ({"signers": [{"name": "jo", "key": "AAAA"}]}, "is no SSH public key"),
        ({"signers": [{"name": "jo", "key": "cert-authority ssh-rsa AA"}]}, "no SSH public key"),
        ({"signers": [{"name": "jo", "key": "ssh-ed25519 AA"}] * 2}, "is there twice"),
        ({"signers": [{"name": "jo", "key": "ssh-ed25519 AA"}], "own": ["x"]}, "is not a signer"),
        ({"signers": ["jo"]}, "not the settings of a host"),
        ({"hours": "long"}, "not the settings of a host"),
    ],
)
def test_settings_that_are_none(changes: dict[str, Any], why: str) -> None:
    said = {"host": "web-1", "environment": "production", "approval": True, **changes}
    with pytest.raises(MaestroError, match=why):
        Identity.of(said)

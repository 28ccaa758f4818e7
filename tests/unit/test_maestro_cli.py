"""The command maestro: plans as text, JSON and Markdown, and approvals that hosts accept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from unit.test_plan_document import document, given, set_environment

from maestro.cli import maestro
from maestro.errors import MaestroError
from maestro.host import identity, signature
from maestro.host.signature import Statement
from maestro.play import approval, plan_files


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(plan_files.text(document(given()), changes=True, lost=[]))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, plan: Path) -> Path:
    """What Ansible would plan."""
    monkeypatch.setattr(maestro, "_made", lambda _: plan_files.read_plan(plan))
    return plan


def test_a_plan_as_text_json_and_markdown(made: Path, capsys: Any, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    assert maestro.main(["plan", "-l", "staging", "--out", str(out)]) == maestro.CHANGES
    text = capsys.readouterr().out
    assert text.splitlines()[0] == "shop on a, b (staging): nothing -> v1"
    assert out.read_bytes() == made.read_bytes()
    assert maestro.main(["plan", "-l", "staging", "--format", "json"]) == maestro.CHANGES
    assert capsys.readouterr().out == made.read_text()
    assert maestro.main(["plan", "-l", "staging", "--format", "markdown"]) == maestro.CHANGES
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("`: deploy of shop (staging), changes")
    assert lines[2] == "```text"


def test_the_exit_code_of_a_plan(made: Path) -> None:
    made.write_text(plan_files.text(document(given()), changes=False, lost=[]))
    assert maestro.main(["plan", "-l", "staging"]) == maestro.NOTHING
    made.write_text(plan_files.text(document(given()), changes=True, lost=["c"]))
    assert maestro.main(["plan", "-l", "staging"]) == maestro.ERROR


def test_a_plan_without_hosts(capsys: Any) -> None:
    assert maestro.main(["plan"]) == maestro.ERROR
    assert "-l: no hosts were named" in capsys.readouterr().err


def test_an_approval_is_what_hosts_verify(plan: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "approval.json"
    words = ["--as", "jo", "--key", str(key), "--purpose", "why", "--out", str(out), "--yes"]
    assert maestro.main(["approve", str(plan), *words]) == 0
    found = plan_files.read_approval(out)
    said = Statement.read(found.statement)
    assert said.plan == found.plan.hash == document(given()).hash
    assert (said.approver, said.purpose, said.hosts) == ("jo", "why", ("a", "b"))
    assert signature.seconds(said.expires) - signature.seconds(said.at) == 24 * 3600
    signers = tmp_path / "signers"
    public = key.with_suffix(".pub").read_text()
    signers.write_text(f'jo namespaces="{identity.NAMESPACE}" {public}')
    signature.verify(found.statement, found.signature, "jo", signers)
    with pytest.raises(MaestroError, match="the signature is not jo's"):
        signature.verify(found.statement + " ", found.signature, "jo", signers)


@pytest.mark.parametrize("change", ["text", "facts", "hash", "none"])
def test_a_plan_that_was_changed_is_not_signed(
    plan: Path, key: Path, capsys: Any, change: str
) -> None:
    said = json.loads(plan.read_text())
    if change == "text":
        said["text"] = "shop on a: nothing happens"
    elif change == "facts":
        said["hosts"]["a"]["facts"]["version"] = "v9"
    elif change == "hash":
        said["hash"] = "0" * 64
    plan.write_text(json.dumps(said) if change != "none" else "[]")
    assert maestro.main(["approve", str(plan), "--as", "jo", "--key", str(key), "--yes"]) == 1
    assert "->" in capsys.readouterr().err


def test_who_does_not_say_yes_signs_nothing(
    plan: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")
    out = tmp_path / "approval.json"
    words = ["--as", "jo", "--key", str(key), "--out", str(out)]
    assert maestro.main(["approve", str(plan), *words]) == 1
    assert not out.exists()


def test_a_key_that_is_not_there(plan: Path, capsys: Any) -> None:
    words = ["--as", "jo", "--key", "/nowhere/key", "--yes"]
    assert maestro.main(["approve", str(plan), *words]) == 1
    assert "it cannot be signed" in capsys.readouterr().err


# What the controller says before a host is asked


def guard(**changes: Any) -> dict[str, Any]:
    return {"approval_required": False, "limit": "web-1", **changes}


NEED = approval.Need("production", "web-1", inventory=True, asking=["a"])


def test_the_difference_to_a_plan_that_was_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before, after = given(), given()
    set_environment(after)
    plan_files.remember(document(before))
    digest = document(before).hash[:12]
    settings = guard(approved_by="jo", approved_plan=digest)
    assert approval.settled(document(before), settings, NEED)["approved_plan"] == digest
    with pytest.raises(MaestroError, match="service web: environment: changed") as caught:
        approval.settled(document(after), settings, NEED)
    assert len(str(caught.value).splitlines()) <= 25
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(MaestroError, match="the approval is for plan") as caught:
        approval.settled(document(after), settings, NEED)
    assert "differ" not in str(caught.value)


def test_the_difference_to_a_plan_that_was_signed(plan: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "approval.json"
    words = ["--as", "jo", "--key", str(key), "--out", str(out), "--yes"]
    assert maestro.main(["approve", str(plan), *words]) == 0
    settings = guard(approval=str(out))
    assert approval.settled(document(given()), settings, NEED)["approved_by"] == "jo"
    after = given()
    set_environment(after)
    with pytest.raises(MaestroError, match="service web: environment: changed"):
        approval.settled(document(after), settings, NEED)
    for text in ("", "[]", "{}"):
        out.write_text(text)
        with pytest.raises(MaestroError, match=str(out)):
            approval.settled(document(after), settings, NEED)


def test_a_host_that_was_never_told(tmp_path: Path) -> None:
    need = approval.Need("production", "web-1", inventory=True, unaware=["a"])
    with pytest.raises(MaestroError, match="these hosts do not know of it") as caught:
        approval.settled(document(given()), guard(approved_by="jo"), need)
    assert "maestro.stacks.provision -l a --tags host_identity" in caught.value.fix


def test_who_is_asked_by_whom() -> None:
    states = {
        "a": {"identity": {"host": "a", "approval": True}},
        "b": {"identity": {"host": "b", "approval": False}},
        "c": {"identity": {"root": "/opt/maestro"}},
        "d": {},
    }
    need = approval.Need.of(guard(), "production", states, list(states))
    assert (need.asking, need.unaware) == (["a"], ["b", "c", "d"])

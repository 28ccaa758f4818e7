"""Older versions of Maestro on a host that asks for approvals: they are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.host import agent, identity, lease, older
from maestro.host.layout import Layout

CLAIM = {
    "token": "t",
    "by": "jo@laptop",
    "purpose": "deploy",
    "release": "r2",
    "serves": "r1",
    "limit": 60,
    "timeout": 60,
    "armed": True,
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> identity.Files:
    monkeypatch.setattr(identity, "HOME", tmp_path / "etc")
    return identity.Files()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "opt", "shop")
    found.releases.mkdir(parents=True)
    return found


def asks(files: identity.Files, *, approval: bool = True) -> None:
    """Let the host be one that asks for approvals, or no longer."""
    identity.write(identity.Identity("web-1", "production", approval), files)


def as_older_versions_read(layout: Layout) -> lease.Lease:
    """The lease as a version from before approvals reads it."""
    path = layout.home / "lease.json"
    return lease.Lease(**json.loads(path.read_text()), beat=path.stat().st_mtime)


def test_a_step_of_an_older_version_is_refused(
    files: identity.Files, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["step", "state", "0123456789ab"]
    assert agent.main(ask, "its own") == agent.OTHER_PROGRAM
    asks(files)
    assert agent.main(ask, "its own") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["failed"] is True
    assert "asks for an approval" in said["msg"]
    assert "use the version that this host was provisioned with" in said["msg"]
    asks(files, approval=False)
    assert agent.main(ask, "its own") == agent.OTHER_PROGRAM


def test_a_host_whose_settings_are_damaged_lets_none_in(files: identity.Files) -> None:
    files.home.mkdir()
    files.identity.write_text("{")
    assert "damaged" in (older.refusal() or {})["msg"]


def test_its_lease_is_held_for_ever_for_older_versions_alone(
    files: identity.Files, layout: Layout
) -> None:
    asks(files)
    older.settle_all(layout.root)
    assert as_older_versions_read(layout).exclusive
    assert "use a newer version" in as_older_versions_read(layout).owner()
    assert lease.read(layout) is None
    assert lease.held_in(layout.root) == []
    taken = lease.acquire(layout, CLAIM)
    with pytest.raises(MaestroError, match="jo@laptop"):
        lease.acquire(layout, {**CLAIM, "token": "u"})
    assert [item.stack for item in lease.held_in(layout.root)] == ["shop"]
    assert as_older_versions_read(layout).exclusive
    lease.release(layout, taken.token)
    assert lease.held_in(layout.root) == []


def test_a_host_that_asks_no_longer_lets_them_in_again(
    files: identity.Files, layout: Layout
) -> None:
    asks(files)
    older.settle(layout)
    asks(files, approval=False)
    taken = lease.acquire(layout, CLAIM)
    older.settle(layout)
    assert lease.read(layout) == taken or lease.read(layout).token == taken.token
    lease.release(layout, taken.token)
    older.settle(layout)
    assert not (layout.home / "lease.json").is_symlink()


def test_a_change_by_an_older_version_that_is_under_way_is_respected(
    files: identity.Files, layout: Layout
) -> None:
    lease.acquire(layout, CLAIM)
    asks(files)
    older.settle(layout)
    with pytest.raises(MaestroError, match="jo@laptop"):
        lease.acquire(layout, {**CLAIM, "token": "u"})

"""User namespaces of the Engine: whose a file must be on the host, and what cannot run there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from maestro import accounts, userns
from maestro.errors import MaestroError
from maestro.host import owners
from maestro.host import userns as of_host
from maestro.host.files import File
from maestro.host.layout import Layout
from maestro.host.secret_files import SecretFile, is_file
from maestro.host.userns import OFF, Ids, Remap
from maestro.render import Rendered

BASE = 231072
ON = Remap(Ids(((BASE, 65536),)), Ids(((BASE, 65536),)))
STATE = {"userns": ON.as_json()}


def info(data: str = f"/var/lib/docker/{BASE}.{BASE}", *more: str) -> dict[str, Any]:
    options = ["name=seccomp,profile=builtin", "name=userns", *more]
    return {"SecurityOptions": options, "DockerRootDir": data}


@pytest.mark.parametrize(
    ("subuid", "subgid", "uid", "gid", "found"),
    [
        # The usual one, and no file at all.
        (
            f"dockremap:{BASE}:65536\n",
            f"dockremap:{BASE}:65536",
            1000,
            33,
            (BASE + 1000, BASE + 33),
        ),
        ("", "", 0, 65535, (BASE, BASE + 65535)),
        # Uids and gids from different places, other accounts beside it, lines that are none.
        (
            f"ann:100000:65536\n# none\nrest\ndockremap:{BASE}:65536",
            f"dockremap:{BASE}:9",
            7,
            8,
            (BASE + 7, BASE + 8),
        ),
        # Several ranges: a container counts them one after the other.
        (f"d:{BASE}:10\nd:500000:100\n", f"d:{BASE}:10\nd:700000:100", 12, 10, (500002, 700000)),
        (f"d:500000:100\nd:{BASE}:10\n", f"d:{BASE}:10\nd:700000:100", 12, 9, (500002, BASE + 9)),
    ],
)
def test_whose_a_containers_ids_are(
    subuid: str, subgid: str, uid: int, gid: int, found: tuple[int, int], tmp_path: Path
) -> None:
    (tmp_path / "subuid").write_text(subuid)
    (tmp_path / "subgid").write_text(subgid)
    remap = of_host.read(info(), tmp_path)
    assert remap.on
    assert remap.owner(uid, gid) == found
    assert (remap.uids.inside(found[0]), remap.gids.inside(found[1])) == (uid, gid)
    assert remap.owner(uid, gid, host=True) == (uid, gid)
    assert Remap.of({"userns": remap.as_json()}) == remap


def test_an_engine_without_them(tmp_path: Path) -> None:
    plain = {"SecurityOptions": ["name=seccomp"], "DockerRootDir": f"/srv/{BASE}.{BASE}"}
    for found in (of_host.read(plain), of_host.read({}), Remap.of({}), OFF):
        assert not found.on
        assert found.owner(1000, 33) == (1000, 33)
        assert found.as_json() == {}
    with pytest.raises(MaestroError, match="does not say which"):
        of_host.read(info("/srv/docker"), tmp_path)


def test_an_id_without_a_place_is_refused() -> None:
    with pytest.raises(MaestroError, match="no place for the uid 65536"):
        ON.owner(65536, 0)
    assert ON.owner(65536, 0, host=True) == (65536, 0)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (SecretFile("key", "r1", 1000), "1000"),
        (SecretFile("key", "r1", 1000, host=True), "1000.1000.0400.host"),
        (SecretFile("key", "r1", 1000, 33, 0o440, host=True), "1000.33.0440.host"),
    ],
)
def test_a_secret_of_a_service_in_the_hosts_namespace_has_a_file_of_its_own(
    file: SecretFile, name: str
) -> None:
    assert (file.owner, is_file(name)) == (name, True)
    back = SecretFile.from_json(file.as_json())
    assert (back.owner, back.host) == (file.owner, file.host)
    assert SecretFile.at(f"/x/{file.path}").owner == name
    assert not is_file(f"{name}.host")


# Files of releases that are there when the Engine is switched


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Layout, dict[str, Any]]:
    """A stack's files; whose they are is written down, for a test may not be root."""
    layout = Layout(tmp_path / "maestro", "shop")
    whose: dict[str, Any] = {}
    real = os.stat_result

    def chown(path: Path, uid: int, gid: int) -> None:
        whose[str(path)] = (uid, gid)

    def stat(path: Path, **more: Any) -> os.stat_result:
        found = os.stat(path, **more)
        uid, gid = whose.get(str(path), (found.st_uid, found.st_gid))
        return real((found[0], found[1], found[2], found[3], uid, gid, *found[6:10]))

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(Path, "stat", stat)
    return layout, whose


def put(layout: Layout, whose: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Files as an Engine without user namespaces has them: by path, whose they are."""
    wanted = {
        layout.secrets / "key/r1/1000": (1000, 1000),
        layout.secrets / "key/r1/1000.33.0440": (1000, 33),
        layout.secrets / "key/r1/1000.1000.0400.host": (1000, 1000),
    }
    for file in (
        File(b"plain"),
        File(b"one", 0o400, 1000, 1000),
        File(b"two", 0o440, 0, 33),
        File(b"of the host", 0o400, 1000, 1000, host=True),
    ):
        path = layout.configs / "conf" / file.digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        wanted[path] = (file.uid, file.gid)
    for path, owner in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whose[str(path)] = owner
    return {str(path): owner for path, owner in wanted.items()}


def test_what_is_there_gets_its_owner_when_the_engine_is_switched(
    kept: tuple[Layout, dict[str, Any]], tmp_path: Path
) -> None:
    layout, whose = kept
    before = put(layout, whose)
    (tmp_path / "subuid").write_text(f"dockremap:{BASE}:65536\n")
    (tmp_path / "subgid").write_text(f"dockremap:{BASE}:65536\n")
    assert owners.put_right(layout, OFF, tmp_path) == []
    on = owners.put_right(layout, ON, tmp_path)
    mine = {path for path in before if path.endswith(".host")}
    mine |= {path for path in before if Path(path).read_bytes() == b"of the host"}
    assert set(on) == set(before) - mine
    assert {path: whose[path] for path in mine} == {path: before[path] for path in mine}
    assert {whose[path] for path in on} == {
        (BASE + uid, BASE + gid) for uid, gid in {before[path] for path in on}
    }
    assert owners.put_right(layout, ON, tmp_path) == [], "and only once"
    assert set(owners.put_right(layout, OFF, tmp_path)) == set(on)
    assert whose == before


def test_a_file_whose_reader_has_no_place_stays_as_it_is(
    kept: tuple[Layout, dict[str, Any]], tmp_path: Path
) -> None:
    layout, whose = kept
    path = layout.secrets / "key/r1/70000"
    path.parent.mkdir(parents=True)
    path.touch()
    whose[str(path)] = (70000, 70000)
    assert owners.put_right(layout, ON, tmp_path) == []


# What the plan says


def rendered(**service: Any) -> Rendered:
    return Rendered({"services": {"web": {"image": "x", **service}}}, {}, {}, [])


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"network_mode": "host"}, "has `network_mode: host`"),
        ({"privileged": True}, "has `privileged: true`"),
        ({"pid": "host"}, "has `pid: host`"),
        ({"user": "70000:33"}, "runs as the uid 70000"),
        ({"user": "33:70000"}, "runs as the gid 70000"),
        ({"user": "app"}, ""),
        ({"user": "1000:1000"}, ""),
        ({"ipc": "host"}, "has `ipc: host`"),
        ({"devices": [{"source": "/dev/null", "target": "/dev/x"}]}, "the device /dev/null"),
        ({"devices": [{"source": "/dev/null", "target": "/dev/null"}]}, ""),
        ({"devices": ["/dev/null:/dev/x:rwm"]}, "the device /dev/null"),
        ({"devices": ["/dev/null:/dev/null:r", "/dev/zero"]}, ""),
        ({"network_mode": "service:db", "uts": "host", "cgroup": "host"}, ""),
        ({"network_mode": "host", "privileged": True, "userns_mode": "host"}, ""),
        ({"user": "70000", "userns_mode": "host"}, ""),
    ],
)
def test_what_the_engine_would_refuse_is_refused_in_the_plan(
    service: dict[str, Any], words: str
) -> None:
    found = list(userns.problems("h1", rendered(**service), STATE))
    assert [words in str(problem) and "h1" in str(problem) for problem in found] == [True] * bool(
        words
    )
    assert list(userns.problems("h1", rendered(**service), {})) == []


def test_who_is_in_the_hosts_namespace_lends_to_its_kind_alone() -> None:
    own, host = {"image": "x"}, {"image": "x", "userns_mode": "host"}
    for owner, lends in ((own, True), (host, False)):
        for key in ("network_mode", "pid", "ipc"):
            wish = rendered(**{key: "service:db"})
            wish.compose["services"]["db"] = owner
            found = [str(problem) for problem in userns.problems("h1", wish, STATE)]
            assert bool(found) != lends
            assert all(f"`{key}: service:db`" in text for text in found)
            wish.compose["services"]["web"]["userns_mode"] = "host"
            assert list(userns.problems("h1", wish, STATE)) == []


def test_a_file_without_a_reader_on_the_host_is_refused_in_the_plan() -> None:
    wish = rendered()
    wish.secret_files = [SecretFile("key", "r1", 70000).as_json()]
    wish.config_files = {"conf": {"d": File(b"", 0o400, 1000, 70001).as_json()}}
    found = [str(problem) for problem in userns.problems("h1", wish, STATE)]
    assert ["the secret key" in found[0], "the config conf" in found[1], len(found)] == [1, 1, 2]
    wish.secret_files = [SecretFile("key", "r1", 70000, host=True).as_json()]
    wish.config_files = {}
    assert list(userns.problems("h1", wish, STATE)) == []


def test_a_directory_of_the_host_that_is_written_is_told() -> None:
    mounts = [
        {"type": "bind", "source": "/srv/data", "target": "/data"},
        {"type": "bind", "source": "/etc/own", "target": "/own", "read_only": True},
        {"type": "volume", "source": "data", "target": "/v"},
    ]
    (found,) = userns.warnings(rendered(volumes=mounts).compose, STATE)
    assert "the service web writes /srv/data of the host, where its uid N is 231072 + N" in found
    assert userns.warnings(rendered(volumes=mounts).compose, {}) == []
    assert userns.warnings(rendered(volumes=mounts, userns_mode="host").compose, STATE) == []


@pytest.mark.parametrize(
    ("state", "item", "who"),
    [
        ({}, {"uid": 1000}, ["ann"]),
        (STATE, {"uid": 1000}, []),
        (STATE, {"uid": 1000, "host": True}, ["ann"]),
        (STATE, {"uid": 7}, ["odd"]),
        (STATE, {"uid": 70000}, []),
    ],
)
def test_the_accounts_that_are_asked_for_are_those_of_the_host(
    state: dict[str, Any], item: dict[str, Any], who: list[str]
) -> None:
    known = {
        "1000": {"name": "ann", "login": True},
        str(BASE + 7): {"name": "odd", "login": True},
    }
    found = accounts.shared([{"name": "key", **item}], {**state, "accounts": known})
    assert [item.name for item in found] == who
    assert ["it can stop what reads key" in item.shown for item in found] == [
        "odd" in who for _ in who
    ]

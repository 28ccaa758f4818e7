"""User namespaces of the Engine: whose a file must be on the host, and what cannot run there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import secrets
from maestro.host import userns as of_host
from maestro.host.files import File
from maestro.host.layout import Layout
from maestro.host.secret_files import SecretFile, is_file
from maestro.host.userns import OFF, Ids, Remap
from maestro.plan import accounts, userns
from maestro.release.render import Rendered

BASE = 231072
ON = Remap(Ids(((BASE, 65536),)), Ids(((BASE, 65536),)))
STATE: dict[str, Any] = {"userns": ON.as_json(), "release": {}}


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


def test_a_file_is_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name tells the container's numbers, so that it does not depend on the host."""
    whose: list[tuple[int, int]] = []
    monkeypatch.setattr("os.fchown", lambda _, uid, gid: whose.append((uid, gid)))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    layout = Layout(tmp_path, "shop")
    wanted = [
        SecretFile("key", "r1", 1000),
        SecretFile("key", "r1", 1000, 33, 0o440),
        SecretFile("key", "r1", 1000, host=True),
    ]
    secrets.write(layout, [file.as_json() for file in wanted], {"key": "value"}, ON)
    assert whose == [(BASE + 1000, BASE + 1000), (BASE + 1000, BASE + 33), (1000, 1000)]
    secrets.complete(layout, [SecretFile("key", "r1", 7).as_json()], ON)
    assert whose.pop() == (BASE + 7, BASE + 7)
    assert (layout.secrets / "key/r1/1000.33.0440").exists()
    whose.clear()
    for number, file in enumerate(
        [File(b"", 0o400, 1000, 33), File(b"", 0o400, 1000, 33, host=True), File(b"")]
    ):
        File.from_json(file.as_json()).write(tmp_path / str(number), ON)
        assert file.named(file.digest) == file
    assert whose == [(BASE + 1000, BASE + 33), (1000, 33), (BASE, BASE)]
    assert File(b"", 0o400, 1000, 33).named("another") is None


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
        ({"group_add": ["70000"]}, "runs as the gid 70000"),
        ({"group_add": ["33", "app"]}, ""),
        ({"domainname": "example.test"}, "has `domainname`"),
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


def test_the_user_of_an_image_counts_where_the_file_names_none() -> None:
    images = {"r.test/web:1": {"digest": "sha256:1", "user": "70000"}}
    for more in ({"resolved": images}, {"release": {"images": images}, "resolved": {}}):
        for service, refused in (({}, True), ({"user": "0"}, False), ({"image": "x@y"}, False)):
            wish = rendered(**{"image": "r.test/web@sha256:1", **service})
            found = list(userns.problems("h1", wish, {**STATE, **more}))
            assert len(found) == refused


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


WIDER = {"uids": [[BASE, 99]], "gids": [[BASE, 99]]}
ELSEWHERE = {"uids": [[7, 65536]], "gids": [[7, 65536]]}


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (
            {},
            ON.as_json(),
            "without user namespaces, and the Engine runs with user namespaces from",
        ),
        (ON.as_json(), {}, "docker_engine_userns_remap: true"),
        (ON.as_json(), ELSEWHERE, f"from {BASE}, and the Engine runs with user namespaces from 7"),
        (ON.as_json(), ON.as_json(), ""),
        (WIDER, ON.as_json(), ""),
        ({}, {}, ""),
    ],
)
def test_a_release_of_an_engine_with_other_data_is_not_built_upon(
    before: dict[str, Any], now: dict[str, Any], words: str
) -> None:
    state = {"release": {"id": "r1", "userns": before}, "userns": now}
    found = [str(problem) for problem in userns.moved("h1", "shop", state)]
    assert [
        words in text and "maestro.stacks.remove -l h1 -e stack=shop" in text for text in found
    ] == [True] * bool(words)
    assert userns.moved("h1", "shop", {"release": {}, "userns": now}) == []


def test_an_older_manifest_says_nothing_of_user_namespaces() -> None:
    """Its containers are there, so the Engine has the data that it had."""
    state = {"release": {"id": "r1"}, "userns": ON.as_json(), "containers": [{"id": "web"}]}
    assert userns.moved("h1", "shop", state) == []
    assert len(userns.moved("h1", "shop", {**state, "containers": []})) == 1


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

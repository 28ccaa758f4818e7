"""Running programs on a host, and reading what they say; the passing parts of the state."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import compose, registry, release, smoke, state
from maestro.host.files import File
from maestro.host.layout import Layout
from maestro.host.reference import Reference
from maestro.host.registry import Login, ResolvedImage
from maestro.host.state import Request

Docker = Callable[[str], Path]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A program named docker that notes its arguments and then does as the script says."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(compose, "PLUGINS", ())
    noted = tmp_path / "noted"

    def write(script: str) -> Path:
        path = tmp_path / "bin" / "docker"
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {noted}\n{script}\n')
        path.chmod(0o755)
        return noted

    return write


# Running


def test_the_plugin_that_docker_would_take_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that can be run; Docker's command where there is none."""
    places = [tmp_path / name for name in ("none", "closed", "first", "second")]
    monkeypatch.setattr(compose, "PLUGINS", places)
    for place in places[1:]:
        place.mkdir()
        (place / "docker-compose").touch()
    assert compose.program() == ["docker", "compose"]
    for place in places[2:]:
        (place / "docker-compose").chmod(0o755)
    assert compose.program() == [str(places[2] / "docker-compose")]


def test_a_command_line_names_project_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "PLUGINS", ())
    assert compose.arguments("shop", Path("/r/compose.yaml"), "up", "--detach", "web") == [
        *("docker", "compose", "--project-name", "shop", "--file", "/r/compose.yaml"),
        *("up", "--detach", "web"),
    ]


def test_a_program_runs_quietly_with_its_environment() -> None:
    script = 'printf "%s %s %s" "$A" "$LC_ALL" "$(cat)"; exit 3'
    result = compose.run(["sh", "-c", script], env={"A": "b"})
    assert (result.returncode, result.stdout, result.stderr) == (3, "b  ", "")


def test_a_program_gets_nothing_of_the_host_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSE_FILE", "DOCKER_HOST", "USER", "LC_ALL", "LANG", "TOKEN"):
        monkeypatch.setenv(name, "the host's own")
    found = dict(line.split("=", 1) for line in compose.run(["env"]).stdout.splitlines())
    assert set(found) - {"PWD", "SHLVL", "_"} <= {"PATH", "HOME", "LC_ALL", "COMPOSE_ANSI"}
    assert found["LC_ALL"] == "C"


def test_a_stack_is_read_with_its_variables_alone(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COMPOSE_FILE", "DOCKER_HOST", "USER", "HOME", "LC_ALL"):
        monkeypatch.setenv(name, "the host's own")
    docker("""/usr/bin/env | /usr/bin/sed 's/.*/"&",/' | /usr/bin/tr -d '\\n' > env
/usr/bin/printf '{"env": [%s 0]}' "$(/usr/bin/cat env)" """)
    monkeypatch.chdir(tmp_path)
    found = compose.canonical(tmp_path, ["compose.yaml"], "shop", {"VERSION": "v1"})["env"]
    assert {item for item in found if item and item[:4] != "PWD=" and item[:2] != "_="} == {
        "VERSION=v1"
    }


def test_output_that_is_no_text() -> None:
    assert compose.run(["printf", r"\377ok"]).stdout == "\ufffdok"


def test_a_program_that_takes_too_long_is_stopped() -> None:
    start = time.monotonic()
    with pytest.raises(compose.TimedOut) as caught:
        compose.run(["sleep", "30"], timeout=0.2)
    assert time.monotonic() - start < 5
    assert caught.value.what == "`docker compose` did not end within 0 s"
    assert caught.value.where == "sleep 30"


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compose, "PLUGINS", ())
    with pytest.raises(MaestroError) as caught:
        compose.version()
    assert caught.value.what == "the docker command is not installed"
    assert "maestro.stacks.provision" in caught.value.fix


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo 2.26.1", "2.26.1"),
        ("echo v2.39.2", "2.39.2"),
        ("echo 2.26.1-4", "2.26.1"),
        ("echo 'is not a docker command' >&2; exit 1", ""),
    ],
)
def test_the_version(docker: Docker, script: str, version: str) -> None:
    noted = docker(script)
    assert compose.version() == version
    assert noted.read_text().split() == ["compose", "version", "--short"]


# Reading


def test_the_stack_is_read_with_every_profile(docker: Docker, tmp_path: Path) -> None:
    noted = docker('echo "{\\"services\\": {}, \\"name\\": \\"$VERSION\\"}"')
    files = ["compose.yaml", "compose.staging.yaml"]
    found = compose.canonical(tmp_path, files, "shop", {"VERSION": "v1"})
    assert found == {"services": {}, "name": "v1"}
    assert noted.read_text().split("\n")[:-1] == [
        *("compose", "--project-name", "shop", "--project-directory", str(tmp_path)),
        *("--file", f"{tmp_path}/compose.yaml", "--file", f"{tmp_path}/compose.staging.yaml"),
        *("--profile", "*", "config", "--format", "json"),
    ]


def test_compose_s_own_words_without_the_passing_directory(docker: Docker, tmp_path: Path) -> None:
    docker(
        f"echo 'validating {tmp_path}/compose.yaml: services.web.image must be a string' >&2\n"
        "exit 15"
    )
    with pytest.raises(MaestroError) as caught:
        compose.canonical(tmp_path, ["compose.yaml"], "shop", {})
    assert caught.value.what == (
        "Compose cannot read the stack: "
        "validating compose.yaml: services.web.image must be a string"
    )
    assert caught.value.where == "shop/compose.yaml"
    docker(
        'case "$*" in *version*) echo 2.26.1-4;; *) echo "services.web Additional property gpus is '
        'not allowed" >&2; exit 15;; esac'
    )
    with pytest.raises(MaestroError) as caught:
        compose.canonical(tmp_path, ["compose.yaml"], "shop", {})
    assert "this host has Compose 2.26.1: " in caught.value.fix
    docker(
        'case "$*" in *version*) echo 2.26.1-4;; *) echo "panic: not string" >&2; echo >&2; '
        'echo "goroutine 1 [running]:" >&2; echo "main.main()" >&2; exit 2;; esac'
    )
    with pytest.raises(MaestroError) as caught:
        compose.canonical(tmp_path, ["compose.yaml"], "shop", {})
    assert caught.value.what == "Compose cannot read the stack: panic: not string"
    assert "Compose 2.26.1 itself crashed" in caught.value.fix


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


def test_a_staged_file_compose_refuses_leaves_nothing(docker: Docker, layout: Layout) -> None:
    docker("exit 0")
    release.stage(
        layout, "r1", "services: {}\n", {"settings": {"d1": File(b"a\r\n\0", 0o755).as_json()}}
    )
    assert layout.compose_file("r1").read_text() == "services: {}\n"
    config = layout.configs / "settings" / "d1"
    assert (config.read_bytes(), config.stat().st_mode & 0o7777) == (b"a\r\n\0", 0o755)
    assert layout.compose_file("r1").stat().st_mode & 0o7777 == 0o600
    docker("echo 'why not' >&2; exit 1")
    with pytest.raises(MaestroError, match="Compose refuses the resolved file: why not"):
        release.stage(layout, "r2", "services: {}\n", {})
    assert not layout.release("r2").exists()
    assert layout.current_id() == ""


@pytest.mark.parametrize(
    ("script", "timeout", "said"),
    [
        ("echo fine", 5, ""),
        ("echo out; echo err >&2; exit 2", 5, "ls -l: exit code 2: out\nerr"),
        ("exec sleep 30", 0.1, "did not end within 0 s"),
    ],
)
def test_a_command_check(
    docker: Docker, layout: Layout, script: str, timeout: float, said: str
) -> None:
    noted = docker(script)
    check = {"command": {"service": "db", "argv": ["ls", "-l"]}, "timeout": timeout}
    if said:
        with pytest.raises(MaestroError) as caught:
            smoke.check(layout, "r1", [check], 1)
        assert said in caught.value.what
    else:
        assert smoke.check(layout, "r1", [check], 1)
    assert noted.read_text().split()[-5:] == ["exec", "--no-TTY", "db", "ls", "-l"]


# The passing parts of the state


def test_the_passing_directory_is_not_part_of_what_is_read() -> None:
    found = state._relative(
        {"a": "/run/m-1/x", "b": ["/run/m-1", "/run/m-12/x", 5], "c": None}, "/run/m-1"
    )
    assert found == {"a": "./x", "b": [".", "/run/m-12/x", 5], "c": None}


def test_room_is_that_of_the_file_system_a_path_will_be_on(tmp_path: Path) -> None:
    assert state._free(tmp_path / "not" / "there" / "yet") > 0
    assert Layout(tmp_path, "shop").compose_text("none") == ""


MODEL = {
    "services": {
        "web": {"image": "r.test/web:v1"},
        "worker": {"image": "r.test/web:v1"},
        "db": {"image": "other.test/db:1"},
        "built": {},
    }
}
KNOWN = {"digest": "sha256:k", "user": "1", "size": 5}


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which reference was asked for with whose login; db:1 is refused."""
    asked: list[tuple[str, str]] = []

    class Registry:
        def __init__(self, host: str, login: Login | None) -> None:
            self.host, self.user = host, login.username if login else ""

        def resolve(self, reference: str) -> ResolvedImage:
            assert Reference.parse(reference).registry == self.host
            asked.append((reference, self.user))
            if reference.endswith("db:1"):
                raise MaestroError("no such image", where=reference)
            return ResolvedImage(reference, "sha256:n", "1000", 7, volumes=("/data",))

    monkeypatch.setattr(registry, "Registry", Registry)
    return asked


def request(**changes: Any) -> Request:
    values = {
        "stack": "shop",
        "root": "/opt/maestro",
        "files": {},
        "compose_files": ["compose.yaml"],
        "version": "v1",
        "variables": {},
        "resolve": True,
        "login": Login("r.test", "u", "p"),
    }
    return Request(**{**values, **changes})


def test_each_image_is_asked_for_once_at_its_registry(registries: list[tuple[str, str]]) -> None:
    resolved, refused = state._resolve(request(), MODEL, {"images": {"r.test/web:v1": KNOWN}}, {})
    assert resolved == {
        "r.test/web:v1": {
            "digest": "sha256:n",
            "user": "1000",
            "size": 7,
            "checked": False,
            "volumes": ["/data"],
        }
    }
    assert refused == {"other.test/db:1": "other.test/db:1: no such image"}
    assert sorted(registries) == [("other.test/db:1", ""), ("r.test/web:v1", "u")]


def test_without_a_wanted_version_the_release_s_own_digests_count(
    registries: list[tuple[str, str]],
) -> None:
    manifest = {"images": {"r.test/web:v1": KNOWN, "other.test/db:1": KNOWN, "old": KNOWN}}
    resolved, refused = state._resolve(request(version=""), MODEL, manifest, {})
    assert resolved == {"r.test/web:v1": KNOWN, "other.test/db:1": KNOWN}
    assert (refused, registries) == ({}, [])


def test_what_is_promoted_is_asked_for_only_where_its_signature_has_to_be_seen(
    registries: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = {"r.test/web:v1": KNOWN, "other.test/db:1": KNOWN}
    resolved, refused = state._resolve(request(verified=verified), MODEL, {}, {})
    assert resolved == verified
    assert (refused, registries) == ({}, [])
    seen: list[str] = []
    monkeypatch.setattr(state, "_signed", lambda _client, reference, *_: seen.append(reference))
    state._resolve(request(verified=verified, signed_by=("key",)), MODEL, {}, {})
    assert len(registries) == 2
    assert seen == ["r.test/web:v1"], "the other one is refused"


def test_other_hosts_ask_no_registry(registries: list[tuple[str, str]]) -> None:
    assert state._resolve(request(resolve=False), MODEL, {}, {}) == ({}, {})
    assert registries == []


def test_a_request_does_not_show_its_secrets() -> None:
    asked = request(login=Login("r", "u", "swordfish"), secrets={"token": "swordfish"})
    assert "swordfish" not in repr(asked)

"""Jessy for the people who write it: `make up` on this machine, edits, errors, debuggers, down.

One copy runs for the module, on the machine's own Engine. Its long form makes 100 edits.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import developing
import pytest
from developing import Developing, Source, docker, mark
from e2e import lab

SERVICES = ("db", "jessy-core", "jessy-api")


@pytest.fixture(scope="module")
def jessy(tmp_path_factory: pytest.TempPathFactory, lab_made: None) -> Iterator[Developing]:
    """The stack in a fresh copy, brought up by `make up`; the lab made sure of the Engine."""
    copy = developing.copy(tmp_path_factory.mktemp("developing") / "jessy")
    copy.remove()
    try:
        shown = copy.make("up").ok()
        assert f"http://127.0.0.1:{developing.PORTS['API_PORT']}/api/health" in shown.out
        yield copy
    finally:
        copy.remove()


@pytest.fixture(params=["rust", "go"])
def source(request: pytest.FixtureRequest, jessy: Developing) -> Source:
    found: Source = getattr(jessy, request.param)
    return found


def running(jessy: Developing) -> dict[str, tuple[str, str]]:
    """The container of each service, and since when it runs."""
    return {
        name: (jessy.inspect(name)["Id"], jessy.inspect(name)["State"]["StartedAt"])
        for name in SERVICES
    }


def in_production(jessy: Developing) -> dict[str, Any]:
    """The services as production has them: without the file and the settings of development."""
    words = ("--env-file", "/dev/null", "-f", "compose.yaml", "config", "--format", "json")
    out = jessy.compose(*words).ok().out
    found: dict[str, Any] = json.loads(out[out.index("{") :])["services"]
    return found


@pytest.mark.requirement("R1.4")
def test_ports_are_there_on_this_machine_alone(jessy: Developing) -> None:
    ports = developing.PORTS
    for service, inside, name, path in (
        ("jessy-core", "8080", "JESSY_PORT", "/health"),
        ("jessy-api", "3000", "API_PORT", "/api/health"),
    ):
        assert jessy.compose("port", service, inside).ok().out.strip() == f"127.0.0.1:{ports[name]}"
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}{path}", timeout=5) as answer:
            assert json.load(answer)["status"] == "healthy"
    # Those of everybody who sets none; here they are moved.
    text = (developing.JESSY / "compose.development.yaml").read_text()
    assert "127.0.0.1:${JESSY_PORT:-8080}:8080" in text
    assert "127.0.0.1:${API_PORT:-3000}:3000" in text
    for service in SERVICES:
        bindings = jessy.inspect(service)["HostConfig"]["PortBindings"] or {}
        assert {one["HostIp"] for many in bindings.values() for one in many} <= {"127.0.0.1"}


@pytest.mark.requirement("D7", "D10", "D11", "R6.5")
def test_sources_and_caches_are_mounted_and_programs_know_where_they_run(
    jessy: Developing,
) -> None:
    core, api = jessy.inspect("jessy-core"), jessy.inspect("jessy-api")
    mounts = {
        (name, mount["Destination"]): (mount["Type"], mount.get("Name") or mount["Source"])
        for name, found in (("core", core), ("api", api))
        for mount in found["Mounts"]
    }
    project = developing.PROJECT
    assert mounts["core", "/app/src"] == ("bind", str(jessy.home / "core"))
    assert mounts["core", "/app/target"] == ("volume", f"{project}-target-cache")
    assert mounts["core", "/home/jessy/.cargo/registry"] == ("volume", f"{project}-cargo-cache")
    assert mounts["api", "/app/src"] == ("bind", str(jessy.home / "api"))
    assert mounts["api", "/go/pkg/mod"] == ("volume", f"{project}-go-cache")
    assert {"RUST_LOG=debug", "RUST_BACKTRACE=1"} <= set(core["Config"]["Env"])
    assert {"GO_ENV=development", "RUST_SERVICE_URL=http://jessy-core:8080"} <= set(
        api["Config"]["Env"]
    )
    url = f"http://127.0.0.1:{developing.PORTS['API_PORT']}/api/core"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)
        assert (found["service"], found["version"]) == ("jessy-core", "dev")
    production = in_production(jessy)
    assert production["jessy-core"]["environment"]["RUST_LOG"] == "info"
    mounted = [mount for one in production.values() for mount in one.get("volumes", [])]
    assert {mount["type"] for mount in mounted} == {"volume"}


@pytest.mark.requirement("R1.3", "R1.5")
@pytest.mark.parametrize("how", [2], ids=["renamed with an old time"])
def test_the_last_of_a_burst_of_edits_is_served(
    jessy: Developing, source: Source, how: int
) -> None:
    """Six edits: five while the first one's build runs. No container is started for them."""
    before = running(jessy)
    for _ in range(5):
        source.save(mark(), how)
        time.sleep(0.1)
    last = mark()
    source.save(last, how)
    source.wait_for(last)
    assert running(jessy) == before


@pytest.mark.requirement("R1.3")
def test_a_compile_error_is_shown_with_its_line_and_the_old_program_serves(
    jessy: Developing, source: Source
) -> None:
    kept = source.served()
    service = "jessy-core" if source.path.suffix == ".rs" else "jessy-api"
    broken = source.text(mark()).splitlines()
    broken.insert(41, "this is no line of a program")
    since = time.time()
    source.path.write_text("\n".join(broken))
    seen = f"{source.path.relative_to(source.path.parents[1 if service == 'jessy-core' else 2])}:42"

    def shown() -> bool:
        out = docker("logs", "--since", f"{since:.3f}", jessy.container(service))
        return seen in out and "the build failed; the previous program keeps running" in out

    developing.eventually(shown, 120)
    assert source.served() == kept
    last = mark()
    source.save(last)
    source.wait_for(last)


@pytest.mark.requirement("R8.5")
def test_debuggers_attach_to_the_running_programs(jessy: Developing) -> None:
    gdb = ("-batch", "-ex", "bt", "-ex", "info sharedlibrary")
    out = jessy.compose("exec", "-T", "--user", "root", "jessy-core", "debug", *gdb).ok().out
    assert "#0 " in out
    assert "jessy_core::" in out or "main.rs" in out
    commands = jessy.home / "api" / ".dlv"
    commands.write_text("goroutines -with user\nexit\n")
    # Delve asks whether to kill what it attached to; nothing answers, so it runs on.
    delve = ("debug", "--allow-non-terminal-interactive=true", "--init", "/app/src/.dlv")
    out = jessy.compose("exec", "-T", "--user", "root", "jessy-api", *delve).out
    commands.unlink()
    assert "Goroutine" in out
    assert "jessy-api" in out
    assert jessy.go.served()
    assert not [one for one in in_production(jessy).values() if one.get("cap_add")]


@pytest.mark.requirement("R9.5")
def test_the_checkout_belongs_to_its_owner_and_the_settings_are_private(
    jessy: Developing,
) -> None:
    owner = (jessy.home.stat().st_uid, jessy.home.stat().st_gid)
    found = list(jessy.home.rglob("*"))
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {owner}
    assert (jessy.home / ".env").stat().st_mode & 0o777 == 0o600
    assert (jessy.home / ".secrets").stat().st_mode & 0o777 == 0o700
    known = subprocess.run(
        ["git", "ls-files", "*.env*"], cwd=lab.PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    names = {name.rpartition("/")[2] for name in known}
    assert {name for name in names if name.startswith(".env")} == {".env.example", ".env.test"}
    for name in (".env", ".secrets/db_password"):
        path = f"docker/jessy/{name}"
        subprocess.run(["git", "check-ignore", "-q", path], cwd=lab.PROJECT, check=True)


def stopped_after(seconds: int, *words: str) -> str:
    """What a command that follows something said before it was interrupted."""
    argv = ["timeout", "--signal=INT", str(seconds), *words]
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", lab.run(*argv).out)


@pytest.mark.requirement("D42")
def test_the_targets_of_a_developer_work(jessy: Developing) -> None:
    home = f"JESSY={jessy.home}"
    for target, prefixes in (
        ("logs", {"db", "migrate", "jessy-core", "jessy-api"}),
        ("logs-rust", {"jessy-core"}),
        ("logs-go", {"jessy-api"}),
    ):
        lines = stopped_after(4, "make", target, home).splitlines()
        shown = {line.partition("|")[0].rstrip(" 0123456789-") for line in lines if " | " in line}
        assert shown == prefixes, target
    listed = jessy.make("ps").ok().out
    assert all(f"{developing.PROJECT}-{name}-1" in listed for name in SERVICES)
    owner = str(jessy.home.stat().st_uid)
    for target in ("shell-go", "shell-rust"):
        done = subprocess.run(
            ["make", target, home],
            cwd=lab.PROJECT, input="id -u\n", text=True, capture_output=True, check=True,
        )  # fmt: skip
        assert done.stdout.split()[-1] == owner
    untidy = jessy.home / "api/main.go"
    tidy = untidy.read_text()
    untidy.write_text(tidy.replace("\treturn 0\n", "\t  return 0\n", 1))
    jessy.make("fmt").ok()
    assert untidy.read_text() == tidy


@pytest.mark.long
def test_what_builds_and_restarts_works(jessy: Developing) -> None:
    jessy.make("clippy").ok()
    for target in ("build", "restart", "rebuild"):
        jessy.make(target).ok()
    assert jessy.rust.served()
    assert stopped_after(120, "make", "watch", f"JESSY={jessy.home}").count("jessy-core") > 1


def test_clean_asks_first(jessy: Developing) -> None:
    jessy.make("clean").failed("make clean CONFIRM=1")
    assert jessy.go.served()


def rows(jessy: Developing) -> set[str]:
    """The texts of the notes in the database."""
    words = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
    out = jessy.compose(*words, "SELECT text FROM notes").ok().out
    return set(out.split())


def write_until(jessy: Developing, stop: threading.Event, acknowledged: set[str]) -> None:
    """Write notes through the API, one after the other; keep which of them were acknowledged."""
    token = (jessy.home / ".secrets/api_token").read_text()
    url = f"http://127.0.0.1:{developing.PORTS['API_PORT']}/api/notes"
    while not stop.is_set():
        text = mark()
        request = urllib.request.Request(
            url,
            data=json.dumps({"text": text}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 201:
                    acknowledged.add(text)
        except OSError:
            time.sleep(0.05)


@pytest.mark.alone
@pytest.mark.requirement("R1.1", "R7.5", "T1.4", "T9.1")
def test_down_and_up_again_keep_what_was_acknowledged_and_what_was_edited(
    jessy: Developing,
) -> None:
    """Notes are written while the stack goes down; both programs are edited while it is down."""
    acknowledged: set[str] = set()
    stop = threading.Event()
    writer = threading.Thread(target=write_until, args=(jessy, stop, acknowledged))
    writer.start()
    developing.eventually(lambda: len(acknowledged) > 5)
    jessy.make("down").ok()
    stop.set()
    writer.join()
    project = f"label=com.docker.compose.project={developing.PROJECT}"
    assert docker("ps", "--all", "--quiet", "--filter", project) == ""
    last = mark()
    started = time.monotonic()
    jessy.compose("up", "-d", "--wait", "--wait-timeout", "30").ok()
    assert time.monotonic() - started < 30
    for line in jessy.compose("ps", "--format", "json").ok().out.splitlines():
        if line.startswith("{"):
            assert json.loads(line)["Health"] == "healthy"
    assert acknowledged <= rows(jessy)
    assert '"applied":0' in docker("logs", jessy.container("migrate"))
    psql = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
    newest = jessy.compose(*psql, "SELECT max(version) FROM schema_migrations").ok().out.strip()
    assert int(newest) == len(list((jessy.home / "core/migrations").iterdir()))
    jessy.make("down").ok()
    jessy.rust.save(last, 2)
    jessy.go.save(last, 2)
    jessy.make("up").ok()
    assert jessy.rust.served() == jessy.go.served() == last


@pytest.mark.long
@pytest.mark.alone
def test_how_long_an_edit_takes(jessy: Developing, show: Callable[[str, str], None]) -> None:
    """The median of 20 edits each, one after the other."""
    lines = []
    for name, source, limit in (("Go", jessy.go, 2.0), ("Rust", jessy.rust, 8.0)):
        times = []
        for number in range(20):
            value = mark()
            source.save(value, number)
            times.append(source.wait_for(value))
        median = statistics.median(times)
        lines.append(
            f"{name}: median {median:.2f} s of 20 edits ({min(times):.2f} to {max(times):.2f}), "
            f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        # The limit is for two free cores.
        assert median <= limit * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), lines
    show("From an edit to its answer", "\n".join(lines))


@pytest.mark.long
def test_the_last_of_100_bursts_is_served(jessy: Developing, source: Source) -> None:
    """Bursts of 1 to 5 edits; every fifth while a build runs, and some while the stack is down."""
    for number in range(50):
        if number % 25 == 24:
            jessy.make("down").ok()
        elif number % 5 == 4:
            source.save(mark(), number)
            time.sleep(0.6)
        for step in range(number % 5):
            source.save(mark(), number + step)
            time.sleep(0.02 * (number % 7))
        last = mark()
        source.save(last, number)
        if number % 25 == 24:
            jessy.make("up").ok()
        source.wait_for(last)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.requirement("D44")
def test_clean_asks_and_deletes_what_is_its_own(jessy: Developing) -> None:
    """Comes last; the caches go too."""
    docker("volume", "create", "not-of-the-stack")
    try:
        jessy.make("clean").failed("make clean CONFIRM=1")
        jessy.make("clean", "CONFIRM=1").ok()
        project = f"label=com.docker.compose.project={developing.PROJECT}"
        assert docker("ps", "--all", "--quiet", "--filter", project) == ""
        volumes = docker("volume", "ls", "--quiet").split()
        assert not [name for name in volumes if name.startswith(developing.PROJECT)]
        assert "not-of-the-stack" in volumes
    finally:
        docker("volume", "rm", "not-of-the-stack")

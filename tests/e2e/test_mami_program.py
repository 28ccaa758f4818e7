"""Mami's API and worker on this machine's own Engine: their own tests, and their images.

The images are built for minutes, so this is part of the long runs alone.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from developing import docker
from e2e import lab
from packaging.requirements import Requirement

pytestmark = pytest.mark.long

AI = lab.PROJECT / "docker/mami/ai"
TESTING = lab.PROJECT / "docker/mami/testing"
IMAGE, BUILDER = "mami-ai:production", "mami-ai:builder"
WALK = """
import importlib, pkgutil, app
for found in pkgutil.walk_packages(app.__path__, "app."): importlib.import_module(found.name)
"""
VERSIONS = """
import importlib.metadata, json
found = importlib.metadata.distributions()
print(json.dumps({d.metadata["name"].lower().replace("_", "-"): d.version for d in found}))
"""
HEALTH = ["curl", "-s", "http://127.0.0.1:8000/health"]
# A service of another name than the stack's own: no Redis, no Elasticsearch.
ALONE = ("-e", "REDIS_URL=redis://127.0.0.1:1")

Start = Callable[..., str]


@pytest.fixture(scope="module")
def passed(lab_made: None) -> set[str]:
    """The tests of its own that passed, without their parameters, and with all of them."""
    run = lab.run(str(TESTING / "run"), "-rA", timeout=3600)  # make test-mami
    outcomes = re.findall(r"(?m)^(PASSED|FAILED|ERROR) tests/test_\w+\.py::(\w+)", run.out)
    assert outcomes, run.out[-6000:]
    return {name for word, name in outcomes if word == "PASSED"} - {
        name for word, name in outcomes if word != "PASSED"
    }


def row(ids: str, *tests: str) -> object:
    """Rows and the tests that prove them."""
    return pytest.param(tests, id=ids, marks=pytest.mark.requirement(*ids.split("-")))


@pytest.mark.parametrize(
    "tests",
    [
        row("G2.4", "test_the_address_of_redis"),
        row(
            "G16.1",
            "test_the_first_model_answers",
            "test_the_next_model_answers_for_one_that_fails",
            "test_the_local_model_is_the_last",
        ),
        row(
            "G16.2",
            "test_the_local_model_is_the_last",
            "test_all_causes_and_no_key_where_nobody_answers",
            "test_chat_without_any_model",
        ),
        row("G16.3-G16.4", "test_the_keys_of_a_provider"),
        row(
            "G17.1-M10", "test_the_address_of_redis", "test_an_image_goes_through_queue_and_worker"
        ),
        row("G17.2", "test_the_address_of_redis", "test_chat_remembers_in_database_1"),
        row("G17.3-G17.4", "test_the_address_of_redis"),
        row("G18.2", "test_from_nothing_and_again", "test_from_an_older_version"),
        row("G19.1", "test_cors"),
        row("G19.2", "test_origins", "test_origins_that_are_not_set"),
        row("M8", "test_metrics_count_requests_and_errors"),
    ],
)
def test_its_own_tests_show(passed: set[str], tests: tuple[str, ...]) -> None:
    assert set(tests) <= passed


def build(*services: str, source: Path = AI) -> lab.Run:
    """Build stages of the image."""
    words = ("--progress", "plain", "build", *services)
    return lab.run(
        "scripts/stack", str(TESTING), *words, env={"MAMI_AI": str(source)}, timeout=3600
    )


@pytest.fixture(scope="module")
def images(lab_made: None) -> None:
    """The stages `builder` and `production`."""
    build("builder", "production").ok()


def once(image: str, *command: str, given: Sequence[str] = (), code: int = 0) -> str:
    """What a container that is thrown away wrote, which ended with ``code``."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", *given, image, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:]
    return done.stdout


@pytest.fixture
def start(images: None) -> Iterator[Start]:
    """Starts containers in the background, which are removed at the end."""
    made = []

    def run(*command: str, given: Sequence[str] = ()) -> str:
        name = f"mami-program-{secrets.token_hex(4)}"
        made.append(name)
        docker("run", "--detach", "--name", name, *given, IMAGE, *command)
        return name

    yield run
    for name in made:
        docker("rm", "--force", "--volumes", name, check=False)


def answered(name: str, limit: float = 60) -> dict[str, object]:
    """The health report of a container, which must come within ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        said = docker("exec", name, *HEALTH, check=False)
        if said.startswith("{"):
            found: dict[str, object] = json.loads(said)
            return found
        time.sleep(0.3)
    raise AssertionError(docker("logs", name, check=False)[-3000:])


def ended(name: str, limit: float = 60) -> tuple[int, str]:
    """Exit code and log of a container that must end by itself."""
    deadline = time.monotonic() + limit
    state = "{{.State.Running}} {{.State.ExitCode}}"
    while time.monotonic() < deadline:
        running, code = docker("inspect", "--format", state, name).split()
        if running == "false":
            return int(code), docker("logs", name)
        time.sleep(0.3)
    raise AssertionError(docker("logs", name))


def wanted() -> list[Requirement]:
    """The lines of requirements.txt."""
    lines = (AI / "requirements.txt").read_text().splitlines()
    return [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]


@pytest.mark.usefixtures("images")
class TestImage:
    """What it holds."""

    @pytest.mark.requirement("G1.1", "G8.1", "G8.2", "M3")
    def test_every_requirement_is_there_in_its_version(self) -> None:
        found = json.loads(once(IMAGE, "python", "-c", VERSIONS))
        for item in wanted():
            assert item.specifier.contains(found[item.name.lower()]), item
        assert (found["fastapi"], found["uvicorn"]) == ("0.115.0", "0.30.3")
        assert found["pydantic"].startswith("2.")
        names = "import sqlmodel, neo4j, qdrant_client, redis, groq, google.genai"
        assert once(IMAGE, "python", "-c", names) == ""
        # pip is not in it. A stage that has the same packages, and those of the tests, has it.
        build("test").ok()
        said = once("mami-ai:test", "pip", "--python", "/opt/mami/bin/python", "check")
        assert "No broken requirements found" in said

    @pytest.mark.requirement("G1.2", "G1.4", "G8.3", "G8.4")
    def test_it_is_made_of_wheels_and_has_no_compiler(self) -> None:
        text = (AI / "Dockerfile").read_text()
        assert re.search(r"(?m)^\s*pip wheel .*--wheel-dir /wheels", text)
        assert re.search(r"install .*--no-index --find-links /wheels", text)
        count = once(BUILDER, "sh", "-c", "ls /wheels/*.whl | wc -l")
        assert int(count) >= len(wanted())
        once(BUILDER, "dpkg", "-s", "build-essential", "curl")
        once(IMAGE, "curl", "--version")
        once(IMAGE, "dpkg", "-s", "build-essential", code=1)
        once(IMAGE, "sh", "-c", "test ! -e /wheels && ! command -v gcc")
        once(IMAGE, "sh", "-c", "test ! -d ~/.cache/pip && test ! -d /root/.cache/pip")

    @pytest.mark.requirement("G1.3")
    def test_every_module_can_be_imported(self) -> None:
        assert once(IMAGE, "python", "-c", WALK) == ""

    @pytest.mark.requirement("G21.5")
    def test_it_is_small(self) -> None:
        assert int(docker("image", "inspect", "--format", "{{.Size}}", IMAGE)) <= 450_000_000

    @pytest.mark.requirement("G8.5")
    def test_a_conflict_of_versions_fails_the_build_with_both_names(self, tmp_path: Path) -> None:
        copy = tmp_path / "ai"
        shutil.copytree(AI, copy)
        with (copy / "requirements.txt").open("a") as file:
            file.write("starlette==0.20.0\n")
        run = build("builder", source=copy).failed("ResolutionImpossible", "starlette==0.20.0")
        assert "fastapi" in run.out


@pytest.mark.usefixtures("images")
@pytest.mark.requirement("G2.2", "G2.3")
def test_settings_have_defaults_and_wrong_ones_end_the_program() -> None:
    began = time.monotonic()
    said = once(IMAGE, given=("-e", "REDIS_PORT=abc"), code=1)
    assert time.monotonic() - began < 15, "5 s on a machine with nothing else to do"
    assert "REDIS_PORT: Input should be a valid integer" in said
    code = "from app.config import settings; print(settings.REDIS_PORT, settings.DATABASE_URL)"
    assert once(IMAGE, "python", "-c", code).split() == ["6379", "sqlite:///data/app.db"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("UPLOAD_MAX_BYTES=1",), ("UPLOAD_MAX_BYTES", "greater than or equal to 1024")),
        (("REDIS_PORT=70000",), ("REDIS_PORT", "less than or equal to 65535")),
        (("LOG_LEVEL=LOUD", "LLM_TIMEOUT=soon"), ("LOG_LEVEL", "LLM_TIMEOUT")),
        (("ENVIRONMENT=production", "CORS_ORIGINS=*"), ("CORS_ORIGINS", "production")),
        (("NODE_MODE=BOTH",), ("NODE_MODE", "'CORE' or 'WORKER'")),
    ],
)
@pytest.mark.usefixtures("images")
def test_a_wrong_value_is_named_with_its_reason(
    given: tuple[str, ...], words: tuple[str, ...]
) -> None:
    options = [word for value in given for word in ("-e", value)]
    said = once(IMAGE, given=options, code=1)
    assert "Traceback" not in said
    assert all(word in said for word in words), said


@pytest.mark.requirement("G2.5", "G20.4")
def test_a_line_is_in_the_log_at_once(start: Start) -> None:
    environment = docker("image", "inspect", "--format", "{{json .Config.Env}}", IMAGE)
    assert "PYTHONUNBUFFERED=1" in json.loads(environment)
    name = start("python", "-c", "import time; print('now', time.time()); time.sleep(60)")
    deadline = time.monotonic() + 30
    while not (line := docker("logs", "--timestamps", name)) and time.monotonic() < deadline:
        time.sleep(0.1)
    written, _, printed = line.split()
    late = datetime.fromisoformat(written[:26] + "+00:00").timestamp() - float(printed)
    assert late < 1


@pytest.mark.requirement("G4.2")
def test_three_failed_checks_make_it_unhealthy(start: Start) -> None:
    """Asked more often than in the stack; after how many failures, the image says."""
    often = ("--init", "--health-interval=2s", "--health-timeout=2s", "--health-start-period=1s")
    name = start(given=(*ALONE, *often))
    health = (
        "{{.State.Health.Status}} {{.State.Health.FailingStreak}} {{.Config.Healthcheck.Retries}}"
    )
    seen: set[tuple[str, str]] = set()

    def until(status: str) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            now, streak, retries = docker("inspect", "--format", health, name).split()
            assert retries == "3"
            seen.add((now, streak))
            if now == status:
                return
            time.sleep(0.2)
        raise AssertionError(f"never {status}: {seen}")

    until("healthy")
    listed = docker("top", name, "-eo", "pid,args").splitlines()[1:]
    pid = next(line.split()[0] for line in listed if "python -m app" in line and "init" not in line)
    lab.run("kill", "-STOP", pid).ok()
    until("unhealthy")
    lab.run("kill", "-CONT", pid).ok()
    until("healthy")
    assert {streak for status, streak in seen if status == "unhealthy"} <= {"3", "4", "5"}
    assert {streak for status, streak in seen if status == "healthy"} <= {"0", "1", "2"}
    assert ("healthy", "1") in seen or ("healthy", "2") in seen


@pytest.mark.requirement("G18.1", "G18.3", "G18.4")
def test_the_first_start_makes_directory_database_and_rows(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.chown(home, 1000, 1000)
    here = ("-v", f"{home}:/app/new", "-e", "DATABASE_URL=sqlite:///new/data/app.db")
    # Where no address is given, the database is in the directory of the data.
    plain = ("-v", f"{home}/data:/app/data")
    query = "select id, key, value from app_setting"
    rows = f"import sqlite3; print([*sqlite3.connect('data/app.db').execute('{query}')])"
    name = start(given=(*ALONE, *here, "-e", "DATA_DIR=/app/new/data"))
    answered(name)
    assert "init_database_with_defaults" in docker("logs", name)
    assert (home / "data/app.db").stat().st_uid == 1000
    assert (home / "data").stat().st_uid == 1000
    docker("rm", "--force", name)
    first = once(IMAGE, "python", "-c", rows, given=plain)
    assert "system_prompt" in first
    again = start(given=(*ALONE, *plain))
    answered(again)
    assert once(IMAGE, "python", "-c", rows, given=plain) == first
    current = docker("exec", again, "alembic", "current").split()[-2:]
    assert current == docker("exec", again, "alembic", "heads").split()[-2:]


@pytest.mark.requirement("G18.4")
def test_a_directory_that_cannot_be_written_ends_the_start(start: Start, tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    code, log = ended(start(given=(*ALONE, "-v", f"{shut}:/app/data")))
    assert code == 1
    assert "cannot write to the directory /app/data" in log
    assert "uid 1000" in log
    assert "Traceback" not in log


def test_a_full_disk_is_said_and_what_is_there_is_served(start: Start) -> None:
    """A volume of 2 MB, which images fill."""
    small = ("--tmpfs", "/app/data:size=2m,uid=1000", "-e", "UPLOAD_MAX_BYTES=8000000")
    name = start(given=(*ALONE, *small))
    answered(name)
    fill = "head -c 1900000 /dev/urandom >/app/data/fill 2>/dev/null; true"
    docker("exec", name, "sh", "-c", fill)
    make = (
        "import os; from PIL import Image;"
        "Image.frombytes('RGB', (500, 500), os.urandom(750000)).save('/tmp/a.png')"
    )
    docker("exec", name, "python", "-c", make)
    send = (
        "curl",
        "-s",
        "-w",
        " %{http_code}",
        "-F",
        "file=@/tmp/a.png",
        "127.0.0.1:8000/api/images",
    )
    said = docker("exec", name, *send)
    assert said.endswith(" 507"), said
    assert "there is no room left" in said
    assert answered(name)["database"] == "ok"


@pytest.mark.requirement("G18.5")
def test_a_broken_migration_ends_the_start_with_its_revision(start: Start, tmp_path: Path) -> None:
    broken = tmp_path / "0003_broken.py"
    broken.write_text(
        'revision = "0003"\ndown_revision = "0002"\nfrom alembic import op\n'
        'def upgrade():\n    op.execute("ALTER TABLE nothing ADD COLUMN x")\n'
    )
    mount = f"{broken}:/app/migrations/versions/0003_broken.py:ro"
    code, log = ended(start(given=(*ALONE, "-v", mount)))
    assert code == 1
    assert "the migration to the revision 0003 failed" in log


@pytest.mark.requirement("G15.1", "G19.3")
def test_it_runs_alone_and_lets_a_developers_page_in(start: Start) -> None:
    name = start(given=(*ALONE, "-e", "NODE_MODE=CORE"))
    report = answered(name)
    assert (report["mode"], report["redis"], report["database"]) == ("CORE", "error", "ok")
    assert report["neo4j"] == report["qdrant"] == report["elasticsearch"] == "disabled"
    asked = ("curl", "-si", "-H", "Origin: http://localhost:5173")
    shown = docker("exec", name, *asked, "127.0.0.1:8000/health").lower()
    assert "access-control-allow-origin: http://localhost:5173" in shown
    before = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST")
    shown = docker("exec", name, *asked, *before, "127.0.0.1:8000/api/chat").lower()
    assert shown.startswith("http/1.1 200")
    assert "access-control-allow-methods: get, post" in shown


@pytest.mark.requirement("G20.1", "G20.2", "G20.3")
def test_a_log_store_that_is_away_costs_neither_time_nor_lines(start: Start) -> None:
    """A start is not delayed, at the best of three times: the machine may be busy."""
    took: dict[str, list[float]] = {"none": [], "away": []}
    for kind in ("none", "away") * 3:
        given = ("-e", "ELASTICSEARCH_URL=http://127.0.0.1:1") if kind == "away" else ()
        name = start(given=(*ALONE, *given))
        began = time.monotonic()
        answered(name)
        took[kind].append(time.monotonic() - began)
        send = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
        ident = ("-H", f"X-Request-ID: id-{kind}")
        assert docker("exec", name, *send, *ident, "127.0.0.1:8000/api/images") == "200"
        done = subprocess.run(
            ["docker", "logs", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
        assert any(line.get("request_id") == f"id-{kind}" for line in lines), "on stdout"
        assert all(line["logger"].split(".")[0] in ("app", "uvicorn", "alembic") for line in lines)
        docker("rm", "--force", name)
    assert min(took["away"]) - min(took["none"]) < 2

"""Jessy in development, as its files say it: variables, parity, the pages."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
JESSY = ROOT / "docker/jessy"
COMPOSE = sorted(JESSY.glob("compose*.yaml"))
PAGE = ROOT / "docs/DOCKER_SETUP.md"
PROGRAM = {
    *("image", "build", "user", "read_only", "cap_add", "environment", "secrets"),
    *("volumes", "networks", "ports", "healthcheck", "deploy"),
}
# What development may set otherwise than the base file; anything else is the same everywhere.
ALLOWED = {
    "db": {"healthcheck"},
    "migrate": {
        *("image", "user", "command", "read_only", "environment", "secrets"),
        *("volumes", "networks", "deploy"),
    },
    **dict.fromkeys(("jessy-core", "jessy-api"), PROGRAM),
}

# What only development has, and only with a profile.
ADDED = {"jaeger": "tracing"}


class Loader(yaml.SafeLoader):
    """Reads what Compose's own `!reset` and `!override` mark as nothing."""


for tag in ("!reset", "!override"):
    Loader.add_constructor(tag, lambda *_: None)


def model(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)
    return found


def variables(path: Path) -> dict[str, str]:
    """The variables of an environment file, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


@pytest.mark.requirement("R6.2", "T4.1")
def test_every_variable_is_documented_with_its_values() -> None:
    used = {
        name
        for path in COMPOSE
        for name in re.findall(r"(?<!\$)\$\{(\w+)", path.read_text(encoding="utf-8"))
    }
    # Compose's own: the name of the project, and the list of files.
    documented = variables(JESSY / ".env.example")
    assert set(documented) == used - {"COMPOSE_PROJECT_NAME"} | {"COMPOSE_FILE"}
    text = (JESSY / ".env.example").read_text(encoding="utf-8")
    for name in documented:
        comment = text[: text.index(f"\n{name}=")].splitlines()[-1]
        assert re.match(r"# development: \S.*   production: \S", comment), name
    assert set(variables(JESSY / ".env.test")) <= {*documented, "COMPOSE_PROJECT_NAME"}


def test_each_switch_of_the_programs_reaches_one_that_reads_it() -> None:
    """The ports move what is published; every other one is in the environment of a program."""
    services = model(JESSY / "compose.development.yaml")["services"]
    ports = " ".join(port for one in services.values() for port in one.get("ports", []))
    assert "${JESSY_PORT:-8080}:8080" in ports
    assert "${API_PORT:-3000}:3000" in ports
    read = {
        "jessy-core": ("core/src/config.rs", "RUST_LOG", "DATABASE_URL", "PROMETHEUS_ENABLED"),
        "jessy-api": (
            *("api/internal/config/config.go", "GO_ENV", "RUST_SERVICE_URL"),
            "PROMETHEUS_ENABLED",
        ),
    }
    documented = variables(JESSY / ".env.example")
    spans = ("JAEGER_ENABLED", "OTEL_EXPORTER_OTLP_ENDPOINT")
    read = {service: (*names, *spans) for service, names in read.items()}
    base = model(JESSY / "compose.yaml")["services"]
    for service, (source, *names) in read.items():
        text = (JESSY / source).read_text(encoding="utf-8")
        for name in names:
            assert name in documented
            assert f"${{{name}:-" in base[service]["environment"][name]
            assert f'"{name}"' in text
    assert "password" not in documented["DATABASE_URL"]


@pytest.mark.requirement("T4.1")
def test_no_environment_file_holds_a_secret() -> None:
    for name in (".env.example", ".env.test"):
        found = variables(JESSY / name)
        assert not [key for key in found if re.search("PASSWORD|TOKEN|SECRET(?!S_DIR)|KEY", key)]
    tests = variables(JESSY / ".env.test")
    files = tests["COMPOSE_FILE"].split(":")
    assert all((JESSY / file).exists() for file in files)
    # A database of its own: every name is the project's.
    beside = model(JESSY / "compose.beside.yaml")
    for kind in ("networks", "volumes"):
        names = {key for file in files for key in model(JESSY / file).get(kind) or {}}
        assert set(beside[kind]) == names
        assert all("${COMPOSE_PROJECT_NAME}" in one["name"] for one in beside[kind].values())


@pytest.mark.requirement("T7.2")
def test_every_secret_is_documented_and_none_is_a_variable() -> None:
    stacks = [model(path) for path in sorted(ROOT.glob("docker/*/compose*.yaml"))]
    names = {name for one in stacks for name in one.get("secrets") or {}}
    for path in (ROOT / "group_vars").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"lookup\('maestro\.stacks\.secret', '(\w+)'", text))
        names |= set(re.findall(r"'ansible\.builtin\.password', [^']*'/\.lab/(\w+)", text))
    assert names >= {"db_password", "registry_password", "registry_push_password"}
    rows = re.findall(r"(?m)^\| (`.+?`) \|.*\|.*\|$", (ROOT / "docs/secrets.md").read_text())
    # The authorities that a build trusts are given as a secret of the build, and are none.
    assert names - {"ca"} <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    for path in ROOT.glob("docker/*/.env.example"):
        for key, value in variables(path).items():
            secret = re.search(r"PASSWORD|TOKEN|SECRET(?!S_DIR)|_KEYS?$", key)
            assert not (secret and value), f"{path.parent.name}: {key}"


def test_development_differs_in_what_is_allowed_alone() -> None:
    base, override = model(JESSY / "compose.yaml"), model(JESSY / "compose.development.yaml")
    changed = {name: set(one) for name, one in override["services"].items() if name not in ADDED}
    assert changed == ALLOWED
    for name, service in override["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        if name in ADDED:
            assert service["profiles"] == [ADDED[name]]
            continue
        # The same base: only the stage is another one.
        assert service.get("build", {"target": "development"}) == {"target": "development"}
        assert name in base["services"]


@pytest.mark.requirement("T4.2")
def test_the_page_of_the_setup_has_its_parts() -> None:
    text = PAGE.read_text(encoding="utf-8")
    titles = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert titles >= {"Architecture", "Service dependencies", "Debugging", "Common workflows"}


@pytest.mark.requirement("T9.4")
def test_the_diagrams_name_what_the_compose_files_have() -> None:
    text = PAGE.read_text(encoding="utf-8")
    pattern = r"(?ms)^## ([^\n]+)\n(?:(?!^## ).)*?```mermaid\n(.*?)```"
    diagrams = dict(re.findall(pattern, text))
    assert set(diagrams) >= {"Architecture", "Data flow", "Networks", "Pipeline"}
    models = [model(JESSY / name) for name in ("compose.yaml", "compose.development.yaml")]
    services = {name for one in models for name in one["services"]}
    volumes = {name for one in models for name in one.get("volumes", {})}
    networks = {name for one in models for name in one.get("networks", {})}
    for title in ("Architecture", "Service dependencies", "Networks"):
        assert services <= set(re.findall(r"[\w-]+", diagrams[title])), title
    assert set(re.findall(r"(?m)^    subgraph (\w+)", diagrams["Networks"])) == networks
    flow = set(re.findall(r"([\w-]+)\[/", diagrams["Data flow"]))
    assert flow - {"sources"} == volumes
    needs = {
        (other, name)
        for name, service in models[0]["services"].items()
        for other in service.get("depends_on", {})
    }
    arrow = r"([\w-]+)(?:\[\(db\)\])? -->\|[^|]+\| ([\w-]+)"
    assert set(re.findall(arrow, diagrams["Service dependencies"])) == needs


@pytest.mark.requirement("T9.1")
def test_the_readme_begins_docker_with_one_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("## Quick start with Docker")[2].partition("\n## ")[0]
    assert "```sh\nmake up\n```" in part
    assert "docker compose up" in part
    assert "(docs/DOCKER_SETUP.md)" in part


def test_the_base_image_is_made_as_the_lab_makes_it() -> None:
    script = (ROOT / "scripts/base-image").read_text(encoding="utf-8")
    role = yaml.safe_load((ROOT / "roles/lab/vars/main.yml").read_text(encoding="utf-8"))
    options = re.findall(r"--dpkgopt='([^']+)'", script)
    assert options == role["__lab_slim_paths"]


def watch(tmp_path: Path, *options: str) -> tuple[list[str], Path]:
    """The command of a watcher of a small program, and the program's source."""
    source = tmp_path / "source" / "program"
    source.parent.mkdir()
    built = tmp_path / "program"
    words = ["--keep", str(tmp_path / "keep"), "--built", str(built), *options]
    build = f"bash -n {source} && install -m 755 {source} {built}"
    return [str(JESSY / "development/watch"), *words, "--build", build, "source"], source


def test_a_watcher_builds_once_and_becomes_the_program(tmp_path: Path) -> None:
    argv, source = watch(tmp_path, "--once", "--arguments", "one two")
    argv[argv.index("--build") + 1] = f"cp {source} {tmp_path / 'program'}"
    source.write_text('#!/bin/bash\necho "first $*"\n')
    source.chmod(0o755)

    def run() -> str:
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert run() == "first one two"
    # Another text of the same length with the time of the first one.
    times = (source.stat().st_atime_ns, source.stat().st_mtime_ns)
    source.write_text('#!/bin/bash\necho "other $*"\n')
    os.utime(source, ns=times)
    assert run() == "other one two"

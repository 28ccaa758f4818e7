"""What can be said about Mami's files without building an image."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from maestro.stack import files as stack

ROOT = Path(__file__).parents[2]
MAMI = ROOT / "docker/mami"
IMAGES = ("ai", "elasticsearch", "prometheus", "redis", "ui")
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)")


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """A Compose file; what is reset or replaced there is as it is written."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    for tag in ("!reset", "!override"):
        loader.add_constructor(tag, _plain)
    found: dict[str, Any] = yaml.load((MAMI / name).read_text(), loader)
    return found


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


def requirements() -> dict[str, Requirement]:
    """The lines of requirements.txt, by name."""
    text = (MAMI / "ai/requirements.txt").read_text()
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {item.name: item for item in found}


def test_the_requirements_name_what_mami_is_made_of() -> None:
    found = requirements()
    assert str(found["fastapi"].specifier) == "==0.115.0"
    assert str(found["uvicorn"].specifier) == "==0.30.3"
    assert str(found["pydantic"].specifier) == ">=2.0.0"
    names = {"pydantic-settings", "sqlmodel", "alembic", "celery"}
    assert found.keys() >= names | {"neo4j", "qdrant-client", "redis", "groq", "google-genai"}


def test_the_lock_file_has_every_requirement_in_one_version_with_hashes() -> None:
    lines = (MAMI / "ai/requirements.txt").read_text().splitlines()
    plain = [re.sub(r"\s*#.*", "", line) for line in lines]
    text = "".join(f"{line}\n" for line in plain if line.strip())
    lock = (MAMI / "ai/requirements.lock").read_text()
    told = lock.splitlines()[0].removeprefix("# requirements.txt: ")
    assert told == hashlib.sha256(text.encode()).hexdigest(), "make lock-mami"
    pins = dict(re.findall(r"(?m)^([a-z0-9-]+)(?:\[\S+\])?==(\S+)", lock))
    for name, item in requirements().items():
        assert item.specifier.contains(pins[name]), name
    for block in re.split(r"(?m)^(?=[a-z0-9-]+(?:\[\S+\])?==)", lock)[1:]:
        assert "--hash=sha256:" in block, block[:60]


def test_the_programs_own_check_of_the_lock_says_the_same(tmp_path: Path) -> None:
    for name in ("requirements.txt", "requirements.lock", "lock-is-current"):
        (tmp_path / name).write_bytes((MAMI / "ai" / name).read_bytes())
    check = ["bash", "lock-is-current"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "requirements.txt").write_text("starlette==0.20.0\n")
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 1


def runs(name: str) -> list[str]:
    """The RUN instructions of a Dockerfile, each in one line."""
    text = (MAMI / name / "Dockerfile").read_text()
    joined = re.sub(r"\\\n(?:\s*#.*\n)*", " ", text)
    return re.findall(r"(?m)^RUN .*$", joined)


def test_pip_keeps_no_cache_and_makes_wheels() -> None:
    calls = [run for run in runs("ai") if re.search(r"\bpip\b.*\b(install|wheel)\b", run)]
    assert calls
    for run in calls:
        for call in re.findall(r"pip (?:--python \S+ )?(?:install|wheel) [^&;|]*", run):
            assert "--no-cache-dir" in call
    assert any("pip wheel" in run for run in calls)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_one_base_and_a_user_without_rights(name: str) -> None:
    text = (MAMI / name / "Dockerfile").read_text()
    stages = re.findall(r"(?m)^FROM (\S+) AS (\S+)$", text)
    ours = {stage for _, stage in stages}
    assert {base for base, _ in stages} - ours == {"${BASE_IMAGE}"}
    assert stages[-1][1] == "production"
    last = text.rpartition("\nFROM ")[2]
    users = re.findall(r"(?m)^USER (\S+)$", last)
    assert users
    assert users[-1] not in ("root", "0", "0:0")


@pytest.mark.requirement("G9.2")
def test_the_page_is_built_from_exact_versions() -> None:
    package = json.loads((MAMI / "ui/package.json").read_text())
    lock = json.loads((MAMI / "ui/package-lock.json").read_text())["packages"]
    wanted = {
        "react": "19.2.0", "typescript": "5.9.3", "vite": "7.2.4",
        "tailwindcss": "4.1.18", "zustand": "5.0.9", "react-router-dom": "6.30.2",
    }  # fmt: skip
    named = {**package["dependencies"], **package["devDependencies"]}
    for name, version in wanted.items():
        assert named[name] == version
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all(re.fullmatch(r"[0-9.]+", version) for version in named.values())
    modules = [entry for path, entry in lock.items() if path]
    assert all(entry.get("integrity") for entry in modules)


def test_every_module_logs_by_get_logger() -> None:
    logger = MAMI / "ai/app/core/logger.py"
    for path in sorted((MAMI / "ai/app").rglob("*.py")):
        tree = ast.parse(path.read_text())
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert "print" not in calls, path
        if path != logger:
            assert "logging.getLogger" not in calls, path


def test_the_file_is_one_that_maestro_deploys() -> None:
    for environment in ("staging", "production"):
        loaded = stack.load(ROOT / "docker", "mami", environment, {"REGISTRY": "r:1"}, version="v1")
        assert loaded.compose_files == ["compose.yaml"]
        assert "internal_upload_token" in loaded.secret_names
        assert "grafana_password" not in loaded.secret_names, "its profile is off"


def test_it_has_a_name_of_its_own_that_the_edges_have_too() -> None:
    variables = yaml.safe_load((ROOT / "group_vars/all.yml").read_text())
    said = compose()["x-maestro"]
    asked = {route["host"] for route in said["routes"]}
    asked |= {check["http"]["host"] for check in said["smoke"] if check.get("http", {}).get("edge")}
    assert len(asked) == 1, "each request is for the same name"
    default = re.fullmatch(r"\$\{MAMI_HOST:-(.+)\}", asked.pop())
    assert default
    # Checks of a stack whose routes have no host ask for localhost.
    assert default[1] != "localhost"
    for environment in ("staging", "production"):
        told = yaml.safe_load((ROOT / f"group_vars/{environment}.yml").read_text())
        given = told.get("maestro_stack_variables", {}).get("mami", {})
        names = told.get("edge_hosts", variables["edge_hosts"])
        assert given.get("MAMI_HOST", default[1]) in names


def test_names_and_figures_are_those_that_were_agreed() -> None:
    found = compose()
    services = found["services"]
    assert found["networks"]["mami"] == {"name": "mami-network", "driver": "bridge"}
    volumes = {volume["name"] for volume in found["volumes"].values()}
    assert volumes >= {"elasticsearch_data", "prometheus_data", "grafana_data"}
    for name, service in services.items():
        if service.get("restart") == "no":
            continue
        assert service["restart"] == "unless-stopped", name
        check = service["healthcheck"]
        assert (check["interval"], check["timeout"], check["retries"]) == ("30s", "10s", 3), name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert "ports" not in service, f"{name}: only the edge publishes"
    assert services["mami-worker"]["command"] == ["python", "-m", "app.image.worker_local"]
    assert services["mami-worker"]["depends_on"]["mami-ai"] == {"condition": "service_healthy"}
    assert services["elasticsearch"]["environment"]["discovery.type"] == "single-node"
    assert services["elasticsearch"]["environment"]["ES_JAVA_OPTS"] == "-Xms512m -Xmx512m"
    assert "--storage.tsdb.retention.time=30d" in services["prometheus"]["command"]


def test_no_secret_is_in_the_environment_of_a_service() -> None:
    for name, service in compose()["services"].items():
        for key in service.get("environment", {}):
            assert not re.search("PASSWORD$|TOKEN$|API_KEY$", key), f"{name}: {key}"


def test_development_publishes_on_this_machine_alone() -> None:
    ports = {
        name: service["ports"]
        for name, service in compose("compose.development.yaml")["services"].items()
        if "ports" in service
    }
    assert ports["mami-ai"] == ["127.0.0.1:${MAMI_PORT:-8000}:8000"]
    assert ports["mami-ui"] == ["127.0.0.1:${UI_PORT:-5173}:5173"]
    assert all(port.startswith("127.0.0.1:") for many in ports.values() for port in many)


def test_every_variable_is_explained() -> None:
    used: set[str] = set()
    for path in MAMI.glob("compose*.yaml"):
        used |= set(VARIABLE.findall(path.read_text()))
    text = (MAMI / ".env.example").read_text()
    explained = set(re.findall(r"(?m)^([A-Z][A-Z0-9_]*)=", text))
    assert used <= explained
    unread = {"COMPOSE_FILE", "COMPOSE_PROFILES"}
    assert explained - used == unread


def test_no_role_playbook_or_module_knows_the_stack() -> None:
    for directory in ("src", "roles", "playbooks", "library", "action_plugins"):
        for path in (ROOT / directory).rglob("*"):
            if path.suffix in (".py", ".yml", ".j2", ".json"):
                assert "mami" not in path.read_text(encoding="utf-8").lower(), path

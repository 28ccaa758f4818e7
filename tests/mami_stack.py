"""Mami as production runs it, on one host of the lab: deployed once for all files of tests.

While a test is written, MAESTRO_TEST_HOST names another host that is ready, of the inventory in
MAESTRO_TEST_INVENTORY.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from e2e import lab

HOST = os.environ.get("MAESTRO_TEST_HOST", "production-2")
OURS = "MAESTRO_TEST_HOST" not in os.environ
INVENTORY = os.environ.get("MAESTRO_TEST_INVENTORY", ".cache/dev/hosts.yml")
WHERE = {} if OURS else {"ANSIBLE_INVENTORY": INVENTORY}
NAME = "mami.localhost"


def _sources() -> str:
    """What the images are made of, as a short hash: they are built once for each."""
    files = lab.run("git", "ls-files", "-z", "--", "docker/mami").ok().out.split("\0")
    digest = hashlib.sha256()
    for name in filter(None, files):
        path = lab.PROJECT / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()[:8]


FIRST, SECOND, BROKEN = (f"mami-test-{name}-{_sources()}" for name in ("1", "2", "broken"))
REGISTRY = "registry.test:5000"
KEPT = {"redis", "elasticsearch", "prometheus"}  # by a new version of Mami
VOLUMES = (
    *("mami_data", "mami_logs", "mami_redis_data"),
    *("elasticsearch_data", "prometheus_data"),
)
SERVICES = {"mami-ai", "mami-worker", "mami-ui", *KEPT}
# A server in place of all providers, in the stack's network: see `Providers`.
PROVIDERS = "http://providers:11434"
VARIABLES = {
    "ENVIRONMENT": "production",
    "API_RATE": "60000",
    "API_BURST": "1000",
    "GROQ_BASE_URL": PROVIDERS,
    "GEMINI_BASE_URL": PROVIDERS,
    "OLLAMA_URL": PROVIDERS,
    "LLM_TIMEOUT": "5",
}
SERVER = """
import http.server, json
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # As Ollama and Qdrant answer.
        self.send(200, {"models": [], "result": {"collections": []}, "status": "ok", "time": 0})
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/chat":
            said = {"role": "assistant", "content": "Hello from the local model."}
            self.send(200, {"message": said})
        else:
            self.send(500, {"error": {"message": "broken", "code": 500, "status": "X"}})
    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 11434), Answer).serve_forever()
"""
MIGRATION = """\
revision = "0003"
down_revision = "0002"
from alembic import op
def upgrade(): op.execute("ALTER TABLE nothing ADD COLUMN x")
"""


def play(playbook: str, *words: str, **variables: str) -> lab.Run:
    """A playbook for the stack on its host, with variables beside `VARIABLES`."""
    given = json.dumps({"maestro_stack_variables": {"mami": {**VARIABLES, **variables}}})
    return lab.playbook(playbook, "-l", HOST, "-e", "stack=mami", "-e", given, *words, env=WHERE)


def deploy(version: str, **variables: str) -> lab.Run:
    """A deploy of a version."""
    return play("deploy.yml", "-e", f"version={version}", **variables)


def ask(path: str, *curl: str) -> tuple[int, str]:
    """What the edge of the host answers: status and body."""
    words = ["curl", "-sk", "-w", "\n%{http_code}", "--resolve", f"{NAME}:443:127.0.0.1", *curl]
    out = lab.ssh(HOST, f"{shlex.join(words)} https://{NAME}{path}", check=False)
    body, _, status = out.rpartition("\n")
    return int(status or 0), body


def container(service: str) -> str:
    """The container of a service."""
    return lab.containers(HOST, "mami")[service]


def inside(service: str, command: str, *, check: bool = True) -> str:
    """What a command writes in the container of a service."""
    return lab.ssh(HOST, f"docker exec {container(service)} {command}", check=check)


def script(service: str, text: str) -> str:
    """What a shell script writes there."""
    return lab.ssh(HOST, f"docker exec -i {container(service)} sh -e <<'END'\n{text}\nEND\n")


def facts(service: str) -> dict[str, Any]:
    """What the Engine knows of its container."""
    return lab.inspect(HOST, container(service))


def environment(service: str) -> dict[str, str]:
    """The environment of a service."""
    return dict(line.split("=", 1) for line in facts(service)["Config"]["Env"])


def stored(path: str) -> Any:
    """What Elasticsearch answers."""
    login = '-u "elastic:$(cat /run/secrets/elastic_password)"'
    return json.loads(script("mami-ai", f"curl -fsS {login} 'http://elasticsearch:9200{path}'"))


def history() -> list[dict[str, str]]:
    """What happened to the stack, oldest first."""
    text = lab.ssh(HOST, "cat /opt/maestro/.history/mami.jsonl")
    return [json.loads(line) for line in text.splitlines()]


def version() -> str:
    """The version that answers."""
    found: str = json.loads(ask("/api/health")[1])["version"]
    return found


def break_version() -> None:
    """Build and push a version whose migration fails."""
    path = "/app/migrations/versions/0003_broken.py"
    made = f"FROM {REGISTRY}/mami-ai:{SECOND}\nCOPY --chmod=0644 broken.py {path}\n"
    commands = [
        "cd $(mktemp -d)",
        f"printf %s {shlex.quote(MIGRATION)} >broken.py",
        f"printf %s {shlex.quote(made + f'ENV VERSION={BROKEN}')} >Dockerfile",
        f"DOCKER_BUILDKIT=1 docker build -q -t {REGISTRY}/mami-ai:{BROKEN} .",
        f"docker pull -q {REGISTRY}/mami-ui:{SECOND}",
        f"docker tag {REGISTRY}/mami-ui:{SECOND} {REGISTRY}/mami-ui:{BROKEN}",
        *(f"docker push -q {REGISTRY}/mami-{name}:{BROKEN}" for name in ("ai", "ui")),
    ]
    lab.ssh("registry", " && ".join(commands))


@pytest.fixture(scope="session")
def mami(production_hosts: None) -> Iterator[None]:
    """The stack, built and deployed in its first version."""
    if OURS:
        words = ("--environment", "production", "--stack", "mami")
        lab.run(".venv/bin/maestro", "secrets", "init", *words).ok()
    for name in (FIRST, SECOND):
        have = lab.ssh(
            "registry", f"docker manifest inspect {REGISTRY}/mami-ui:{name}", check=False
        )
        if '"digest"' not in have:
            lab.run("make", "images", "STACK=mami", f"VERSION={name}", timeout=3600).ok()
    deploy(FIRST).ok()
    yield
    if OURS:
        play("playbooks/remove.yml", "-e", f"volumes={','.join(VOLUMES)}").ok()


@pytest.fixture
def providers(mami: None) -> Iterator[None]:
    """The server in place of the providers: Groq and Gemini fail, Ollama answers."""
    image = facts("mami-ai")["Config"]["Image"]
    ask_it = "docker exec providers curl -fsS -o /dev/null 127.0.0.1:11434"
    lab.ssh(
        HOST,
        "docker rm -f providers >/dev/null 2>&1; docker run -d --name providers --read-only"
        f" --network mami-network {image} python -c {shlex.quote(SERVER)} &&"
        f" for n in $(seq 60); do {ask_it} && exit 0; sleep 0.5; done; exit 1",
    )
    yield
    lab.ssh(HOST, "docker rm -f providers", check=False)


def users(service: str) -> list[str]:
    """The users of the processes of a service."""
    shown = lab.ssh(HOST, f"docker top {container(service)} -eo pid,uid")
    return [line.split()[1] for line in shown.splitlines()[1:]]


def metric(name: str) -> float:
    """The sum of a metric of the API, over its labels that ``name`` leaves open."""
    shown = inside("mami-worker", "curl -fsS http://mami-ai:8000/metrics")
    lines = re.findall(rf"(?m)^{re.escape(name)}[^ ]* (\S+)$", shown)
    return sum(float(value) for value in lines)

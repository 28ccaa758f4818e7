"""Mami for the people who write it: on this machine's own Engine, for the long runs alone."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import lab

pytestmark = pytest.mark.long

PORTS = {
    "MAMI_PORT": 18800,
    "UI_PORT": 15173,
    "ELASTICSEARCH_PORT": 19200,
    "ELASTICSEARCH_NODE_PORT": 19300,
    "PROMETHEUS_PORT": 19090,
    "GRAFANA_PORT": 13300,
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, lab_made: None) -> Iterator[Path]:
    """A copy of the stack with ports of its own, brought up by `make mami-up`."""
    home = tmp_path_factory.mktemp("developing") / "mami"
    kept_out = shutil.ignore_patterns(".env", ".secrets", "data", "logs", "node_modules")
    shutil.copytree(lab.PROJECT / "docker/mami", home, ignore=kept_out)
    lab.run(str(home / "development/setup")).ok()
    text = (home / ".env").read_text()
    for name, port in PORTS.items():
        text = re.sub(f"(?m)^{name}=.*$", f"{name}={port}", text)
    (home / ".env").write_text(text)
    try:
        lab.run("make", "mami-up", f"MAMI={home}", timeout=3600).ok()
        yield home
    finally:
        lab.run("scripts/stack", str(home), "down", "--volumes", "--remove-orphans").ok()


def get(name: str, path: str) -> str:
    """What a published port answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[name]}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.usefixtures("copy")
def test_the_stack_of_a_developer_is_healthy() -> None:
    direct, proxied = get("MAMI_PORT", "/health"), get("UI_PORT", "/api/health")
    assert json.loads(direct).keys() == json.loads(proxied).keys()
    assert json.loads(direct)["elasticsearch"] == "ok"
    assert "/@vite/client" in get("UI_PORT", "/")
    assert json.loads(get("ELASTICSEARCH_PORT", "/_cluster/health"))["number_of_nodes"] == 1


def test_a_changed_source_of_the_api_is_served(copy: Path) -> None:
    path = copy / "ai/app/api/health.py"
    path.write_text(path.read_text().replace('"status": "alive"', '"status": "changed"'))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if "changed" in get("MAMI_PORT", "/health/live"):
                return
        except OSError:
            pass
        time.sleep(0.5)
    pytest.fail("the old source is served")


def test_the_programs_own_tests_pass() -> None:
    lab.run("make", "test-mami", timeout=3600).ok()

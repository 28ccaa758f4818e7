"""What a deploy of Mami refuses: a clear error each, and nothing of what serves is touched.

Wrong values, a Redis that is away and a migration that fails are in test_mami_versions.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import lab
from mami_stack import (
    FIRST,
    HOST,
    PROVIDERS,
    ask,
    deploy,
    environment,
    facts,
    inside,
    play,
    version,
)

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A copy of the stack's files to damage; what serves must be the same afterwards."""
    kept_out = shutil.ignore_patterns(".env", ".secrets", "data", "logs", "node_modules")
    home = tmp_path / "mami"
    shutil.copytree(lab.PROJECT / "docker/mami", home, ignore=kept_out)
    before = lab.containers(HOST, "mami")
    yield home
    assert {name: lab.containers(HOST, "mami").get(name) for name in before} == before
    assert version() == FIRST


def damaged(copy: Path) -> lab.Run:
    """A deploy of the copy."""
    return play("deploy.yml", "-e", f"version={FIRST}", "-e", f"maestro_stacks_dir={copy.parent}")


@pytest.mark.requirement("G10.2")
def test_a_log_store_without_a_password_is_refused(copy: Path) -> None:
    read = environment("elasticsearch")
    assert read["xpack.security.enabled"] == "true"
    assert read["ELASTIC_PASSWORD_FILE"] == "/run/secrets/elastic_password"
    refused = inside("mami-ai", "curl -s -o /dev/null -w '%{http_code}' elasticsearch:9200")
    assert refused.strip() == "401"
    path = copy / "compose.yaml"
    given = 'xpack.security.enabled: "true"'
    assert path.read_text().count(given) == 1, "the one file of staging and production"
    path.write_text(path.read_text().replace(given, 'xpack.security.enabled: "false"'))
    run = damaged(copy).failed(
        "services.elasticsearch.environment.xpack.security.enabled",
        "everybody in its networks gets in without a password",
        "rule: no-login",
    )
    assert run.changed(HOST) == [0]


def test_a_rule_that_prometheus_cannot_read_ends_the_deploy_before_anything(copy: Path) -> None:
    rules = copy / "prometheus/alert_rules.yml"
    started = facts("prometheus")["State"]["StartedAt"]
    rules.write_text(rules.read_text().replace("expr: ", "expr: ((", 1))
    damaged(copy).failed(
        "the migration check failed", "no service was replaced", "alert_rules.yml", "parse error"
    )
    assert facts("prometheus")["State"]["StartedAt"] == started


@pytest.mark.requirement("M1")
def test_servers_of_the_atlas_memory_are_asked_before_anything(providers: None) -> None:
    """One that answers as Qdrant does, and one that takes connections and is no Neo4j."""
    before = lab.containers(HOST, "mami")
    away = {"NEO4J_URL": "bolt://nowhere.test:7687", "QDRANT_URL": "http://providers:1"}
    deploy(FIRST, **away).failed(
        "no service was replaced",
        "NEO4J_URL: no connection to nowhere.test at port 7687",
        "QDRANT_URL: no connection to providers at port 1",
    )
    assert lab.containers(HOST, "mami") == before
    report = json.loads(ask("/api/health")[1])
    assert (report["neo4j"], report["qdrant"], report["redis"]) == ("disabled", "disabled", "ok")
    there = {"NEO4J_URL": "bolt://providers:11434", "QDRANT_URL": PROVIDERS}
    try:
        deploy(FIRST, **there).ok()
        status, body = ask("/api/health")
        report = json.loads(body)
        assert status == 200
        assert (report["neo4j"], report["qdrant"], report["status"]) == ("error", "ok", "degraded")
    finally:
        deploy(FIRST).ok()
    report = json.loads(ask("/api/health")[1])
    assert report["neo4j"] == report["qdrant"] == "disabled"

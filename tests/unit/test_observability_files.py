"""What can be said of the watching stack's files without running it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOME = ROOT / "docker/observability"
CONFIG = HOME / "config"
DASHBOARDS = sorted(CONFIG.glob("grafana/dashboards/*.json"))
PAGE = (ROOT / "docs/observability.md").read_text(encoding="utf-8")


def rules(folder: str, key: str) -> list[dict[str, Any]]:
    """All entries below ``key`` of the groups or tests of a directory's files."""
    documents = [yaml.safe_load(path.read_text()) for path in CONFIG.glob(f"prometheus/{folder}/*")]
    parts = [part for one in documents for part in one.get("groups", one.get("tests"))]
    return [entry for part in parts for entry in part[key]]


def test_every_alert_has_a_test_and_a_section_with_a_command() -> None:
    alerts = {rule["alert"]: rule for rule in rules("alerts", "rules")}
    fired = {test["alertname"] for test in rules("tests", "alert_rule_test") if test["exp_alerts"]}
    assert alerts.keys() == fired
    sections = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^##|\Z)", PAGE))
    assert sections.keys() == alerts.keys()
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook"] == f"docs/observability.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert "`" in sections[name], name


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_reads(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert board["schemaVersion"] >= 36
    assert board["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [panel["gridPos"] for panel in board["panels"]]
    for one, other in itertools.combinations(places, 2):
        apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    for panel in board["panels"]:
        assert panel["type"] in ("timeseries", "stat", "table")
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for query in panel["targets"]:
            assert query["datasource"] == {"type": "prometheus", "uid": "prometheus"}
            assert query["expr"]


def test_there_is_a_dashboard_of_each_subject() -> None:
    names = {path.stem for path in DASHBOARDS}
    watched = {"hosts", "containers", "edge", "deploys", "logs", "jessy", "mami"}
    assert names == watched | {"postgres", "redis", "elasticsearch"}


def test_what_is_provisioned_is_what_the_dashboards_read() -> None:
    (source,) = yaml.safe_load(
        (CONFIG / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"]
    assert (source["uid"], source["type"], source["isDefault"]) == (
        "prometheus",
        "prometheus",
        True,
    )
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load(
        (CONFIG / "grafana/provisioning/dashboards/dashboards.yml").read_text()
    )["providers"]
    grafana = yaml.safe_load((HOME / "compose.yaml").read_text())["services"]["grafana"]
    assert f"./config/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    assert "./config/grafana/provisioning:/etc/grafana/provisioning:ro" in grafana["volumes"]
    assert "prometheus:127.0.0.1" in grafana["extra_hosts"]
    assert "GF_SECURITY_ADMIN_PASSWORD__FILE" in grafana["environment"]


def test_nothing_is_published_beyond_the_host() -> None:
    services = yaml.safe_load((HOME / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        words = " ".join(service.get("command", []))
        if service.get("network_mode") == "host" and name != "grafana":
            assert "--web.listen-address=127.0.0.1:" in words, name
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "--storage.tsdb.retention.time=30d" in services["prometheus"]["command"]

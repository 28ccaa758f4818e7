"""The stack that watches the others, and Jessy beside it on one host.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

import pytest
from e2e import lab
from watching_stack import HOST, JESSY, STACK, get, panels, query, until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "watched")]

ENDPOINTS = {"jessy-core": ":8080/metrics", "jessy-api": ":3000/api/metrics"}


def targets() -> dict[str, dict[str, Any]]:
    """What Prometheus scrapes of Jessy, by service."""
    found = get(9090, "/api/v1/targets?state=active")["data"]["activeTargets"]
    ours = (one for one in found if one["labels"].get("stack") == JESSY)
    return {one["labels"]["service"]: one for one in ours if one["scrapePool"] == "containers"}


@pytest.mark.requirement("R5.5")
def test_both_programs_are_scraped() -> None:
    def up() -> bool:
        found = targets()
        return found.keys() == ENDPOINTS.keys() and all(
            one["health"] == "up" for one in found.values()
        )

    until(up)
    prometheus = lab.containers(HOST, STACK)["prometheus"]
    for service, one in targets().items():
        assert one["scrapeUrl"].endswith(ENDPOINTS[service])
        read = f"curl -fsS {shlex.quote(one['scrapeUrl'])}"
        lab.ssh(HOST, f"{read} | docker exec -i {prometheus} promtool check metrics")


@pytest.mark.requirement("T6.1")
def test_prometheus_has_a_page() -> None:
    page = "curl -sL -o /dev/null -w '%{http_code}' http://127.0.0.1:9090/graph"
    assert lab.ssh(HOST, page) == "200"


@pytest.mark.requirement("R8.2")
def test_every_panel_of_jessy_has_data() -> None:
    for expression in panels(JESSY):
        until(partial(query, expression))

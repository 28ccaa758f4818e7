"""The numbers of databases: Jessy's Postgres, a Redis in a network of its own, the store of lines.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest
from e2e import lab
from watching_stack import HOST, JESSY, STACK, VERSION, deploy, panels, query, until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "exporting")]

PROFILES = ("postgres", "redis", "elasticsearch")
NETWORK = "keys-network"
GIVEN = {
    "maestro_stack_profiles": {STACK: PROFILES},
    "maestro_stack_variables": {STACK: {"REDIS_NETWORK": NETWORK, "REDIS_ADDRESS": "keys:6379"}},
}
IMAGE = "registry.test:5000/gallery:1"
PASSWORD = f"docker exec {STACK}-redis-exporter-1 cat /run/secrets/redis_password"

ASK = "for n in 1 2 3; do docker exec -e REDISCLI_AUTH keys redis-cli get key; sleep 15; done"


def documented(word: str) -> str:
    """The command of the page that has this word."""
    page = (lab.PROJECT / "docs/observability.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"(?m)^docker exec .*{word}.*$", page)
    return str(command)


@pytest.fixture(scope="module")
def exporting(watched: None) -> Iterator[None]:
    """The exporters, beside what they ask."""
    words = (f"STACK={STACK}", f"VERSION={VERSION}", f"PROFILES={','.join(PROFILES)}")
    lab.run("make", "images", *words, timeout=3600).ok()
    lab.ssh(HOST, f"docker network create {NETWORK}")
    keys = f"docker run -d --name keys --network {NETWORK} {IMAGE}"
    psql = f"docker exec -i {JESSY}-db-1 psql -U jessy jessy"
    try:
        deploy("-e", json.dumps(GIVEN)).ok()
        lab.ssh(HOST, f"{keys} redis-server --bind '*' --protected-mode no --maxmemory 32mb")
        # On stdin: a list of processes does not show it.
        lab.ssh(HOST, f"{PASSWORD} | docker exec -i keys redis-cli -x config set requirepass")
        lab.ssh(HOST, documented("CREATE ROLE"))
        yield
    finally:
        lab.ssh(HOST, f"echo 'DROP ROLE IF EXISTS metrics' | {psql}", check=False)
        # As other files of tests expect it.
        deploy().ok()
        lab.ssh(HOST, f"docker rm -f keys; docker network rm {NETWORK}", check=False)


@pytest.mark.parametrize(
    "expression",
    ["pg_up", "redis_up", 'elasticsearch_cluster_health_status{color="green"}'],
)
def test_an_exporter_sees_its_database(expression: str) -> None:
    until(lambda: query(f"{expression} == 1"))


@pytest.mark.parametrize("name", PROFILES)
def test_every_panel_has_data(name: str) -> None:
    # Redis is asked for a key now and then, so that there is a share of those found.
    lab.ssh(HOST, f"export REDISCLI_AUTH=$({PASSWORD}); {ASK}")
    for expression in panels(name):
        until(partial(query, expression))


def test_no_process_shows_a_password() -> None:
    shown = lab.ssh(HOST, "ps -eo args")
    for name in ("redis_password", "postgres_password", "elastic_password"):
        service = {"elastic_password": "elasticsearch"}.get(name, name.split("_")[0])
        secret = lab.ssh(HOST, f"docker exec {STACK}-{service}-exporter-1 cat /run/secrets/{name}")
        assert secret.strip()
        assert secret.strip() not in shown


def test_a_database_that_is_away_is_told() -> None:
    lab.ssh(HOST, "docker stop keys")
    try:
        until(lambda: query('ALERTS{alertname="RedisDown", alertstate="firing"}'), 300)
    finally:
        lab.ssh(HOST, "docker start keys")

"""Data on volumes: no two servers ever run on one, and what was acknowledged is there afterwards.

A database is renamed while rows are inserted; its containers' starts and ends, as the Engine tells
of them, show that the old and the new one never ran at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError

SERVER = """
test -s /data/pg/PG_VERSION || {
  initdb -D /data/pg -U app -A trust --no-sync >/dev/null
  echo host all all all trust >>/data/pg/pg_hba.conf
}
exec postgres -D /data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
# A row counts as acknowledged when the server said so, and only then.
WRITER = """
until psql -qh pg -U app postgres -c 'create table if not exists t (id int primary key)'
do sleep 0.2; done
i=0
while :; do
  i=$((i + 1))
  psql -qh pg -U app postgres -c "insert into t values ($i)" 2>/dev/null && echo $i >>/tmp/rows
  sleep 0.02
done
"""


EVENTS = (
    "--filter type=container --filter event=start --filter event=die "
    "--filter label=com.docker.compose.project=notes --format "
    "'{{.Action}} {{index .Actor.Attributes \"com.docker.compose.service\"}} {{.ID}}'"
)


def server(**changes: Any) -> dict[str, Any]:
    return {
        "image": IMAGE,
        "user": "1000:1000",
        "command": ["sh", "-c", SERVER],
        "volumes": ["data:/data"],
        "networks": {"default": {"aliases": ["pg"]}},
        "stop_grace_period": "20s",
        "stop_signal": "SIGINT",
        "healthcheck": {
            "test": ["CMD", "pg_isready", "-qh", "127.0.0.1"],
            "interval": "1s",
            "start_period": "20s",
            "start_interval": "200ms",
        },
        **changes,
    }


def stack(name: str, volume: str = "data", **changes: Any) -> dict[str, Any]:
    database = server(volumes=[f"{volume}:/data"], **changes)
    writer = {
        "image": IMAGE,
        "command": ["sh", "-c", WRITER.replace("$", "$$")],
        "init": True,
        "user": "1000:1000",
        "stop_grace_period": "1s",
    }
    return {
        "services": {name: database, "writer": writer},
        "volumes": {volume: {"name": "notes_data"}},
    }


@dataclass
class Written:
    """The writer of a stack, and when its servers ran."""

    direct: Direct
    since: int

    def acknowledged(self) -> set[int]:
        return set(map(int, self._in("writer", "cat /tmp/rows").split()))

    def there(self, service: str) -> set[int]:
        query = "psql -qAth 127.0.0.1 -U app postgres -c 'select id from t'"
        return set(map(int, self._in(service, query).split()))

    def _in(self, service: str, command: str) -> str:
        return self.direct.until(f"docker exec notes-{service}-1 {command}")

    def check(self, service: str) -> None:
        """All rows are there that were acknowledged, more come, and never two servers ran."""
        before = self.acknowledged()
        assert before - self.there(service) == set()
        self.direct.until(
            f'test "$(docker exec notes-writer-1 tail -n1 /tmp/rows)" -gt {max(before)}'
        )
        running: set[str] = set()
        for line in lab.ssh(
            self.direct.host,
            f"docker events --since {self.since} --until {int(time.time()) + 1} {EVENTS}",
        ).splitlines():
            action, name, container = line.split()
            if name == "writer":
                continue
            (running.add if action == "start" else running.discard)(container)
            assert len(running) <= 1, f"two servers at once: {line}"


@pytest.fixture
def written(direct: Direct) -> Iterator[Written]:
    direct.remove("notes")
    found = Written(direct, int(time.time()) - 1)
    direct.write("notes", stack("db"))
    assert direct.deploy("notes", "v0")
    direct.until("docker exec notes-writer-1 test -s /tmp/rows")
    yield found
    direct.remove("notes")


def test_a_database_is_renamed_under_writers(direct: Direct, written: Written) -> None:
    direct.write("notes", stack("database", volume="renamed"))
    plan = direct.plan("notes", "v1")
    assert "warning   db stops before database starts: both hold the volume notes_data" in plan
    assert direct.deploy("notes", "v1")
    assert not direct.deploy("notes", "v1")
    written.check("database")

    # The way back of a release that fails, by the deploy and by the host itself.
    broken = {"test": ["CMD", "false"], "interval": "1s", "retries": 2}
    direct.write("notes", stack("store", healthcheck=broken))
    with pytest.raises(MaestroError, match="store"):
        direct.deploy("notes", "v2")
    written.check("database")
    direct.write("notes", stack("store"))
    direct.vanish("notes", "v2")
    written.check("database")

    assert direct.rollback("notes")
    written.check("db")


@pytest.mark.long
def test_a_database_is_renamed_ten_times_under_writers(direct: Direct, written: Written) -> None:
    names = ["db", "database"]
    for number in range(1, 11):
        direct.write("notes", stack(names[number % 2]))
        assert direct.deploy("notes", f"v{number}")
        written.check(names[number % 2])

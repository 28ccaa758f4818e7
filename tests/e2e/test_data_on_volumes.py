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
# A row counts as acknowledged when the server said its id, and only then.
WRITER = """
until psql -qh pg -U app postgres -c 'create table if not exists t (id uuid primary key)'
do sleep 0.2; done
while :; do
  while echo 'insert into t values (gen_random_uuid()) returning id;' 2>/dev/null
  do sleep 0.02; done | psql -qAth pg -U app postgres >>/tmp/rows 2>/dev/null
  sleep 0.05
done
"""
EVENTS = (
    "--filter type=container --filter event=start --filter event=die "
    "--filter label=com.docker.compose.project=notes --format "
    "'{{.Action}} {{index .Actor.Attributes \"com.docker.compose.service\"}} {{.ID}}'"
)


FORGET = """
import json, sys
found = json.load(open(sys.argv[1]))
for facts in found["services"].values():
    for key in ("holds", "nameless", "throw_away", "order"):
        del facts[key]
json.dump(found, open(sys.argv[1], "w"))
"""


def healthy(*argv: str) -> dict[str, Any]:
    # Often at the start and seldom later: each look is a process of its own.
    start = {"start_period": "30s", "start_interval": "300ms"}
    return {"test": ["CMD", *argv], "interval": "20s", **start}


def server(**changes: Any) -> dict[str, Any]:
    return {
        "image": IMAGE,
        "user": "1000:1000",
        "command": ["sh", "-c", SERVER],
        "volumes": ["data:/data"],
        "networks": {"default": {"aliases": ["pg"]}},
        "stop_grace_period": "20s",
        "stop_signal": "SIGINT",
        "healthcheck": healthy("pg_isready", "-qh", "127.0.0.1"),
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
        "healthcheck": healthy("test", "-s", "/tmp/rows"),
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

    def acknowledged(self) -> set[str]:
        # A line that is not whole yet was not read by anybody.
        return set(self._in("writer", "grep -xE .{36} /tmp/rows").split())

    def there(self, service: str) -> set[str]:
        query = "psql -qAth 127.0.0.1 -U app postgres -c 'select id from t'"
        return set(self._in(service, query).split())

    def _in(self, service: str, command: str) -> str:
        return self.direct.until(f"docker exec notes-{service}-1 {command}")

    def check(self, service: str) -> None:
        """All rows are there that were acknowledged, more come, and never two servers ran."""
        before = self.acknowledged()
        assert before
        assert before - self.there(service) == set()
        more = f'test "$(docker exec notes-writer-1 grep -c . /tmp/rows)" -gt {len(before)}'
        self.direct.until(more)
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
    # What serves may be recorded by an older Maestro, which wrote nothing of data.
    lab.ssh(direct.host, f"python3 -c '{FORGET}' /opt/maestro/notes/current/release.json")
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


# Volumes without a name

VOLUME_IMAGE = f"{IMAGE.rpartition(':')[0]}-volume:1"
KEEP = 'echo "$$V" >>/data/log; echo "$$V" >>/own/log; exec busybox httpd -f -p 8000 -h /data'


@pytest.fixture(scope="module")
def volume_image(direct: Direct) -> str:
    """The image of the sample stacks with a `VOLUME`, in the lab's registry."""
    lab.run(
        *("bash", "-euo", "pipefail", "-c"),
        f"printf 'FROM {IMAGE}\\nVOLUME /data\\n' | ssh -F .lab/ssh_config registry '"
        f"docker build --quiet --tag {VOLUME_IMAGE} - && docker push --quiet {VOLUME_IMAGE}'",
    ).ok()
    return VOLUME_IMAGE


def keeper(image: str, value: str, name: str = "store", **changes: Any) -> dict[str, Any]:
    service = {
        "image": image,
        "command": ["sh", "-c", KEEP],
        "init": True,
        "environment": {"V": value},
        "volumes": ["/own"],
        "stop_grace_period": "1s",
        "healthcheck": healthy("sh", "-c", "test -s /data/log && ! test -e /sick"),
        "deploy": {"replicas": 2},
        **changes,
    }
    return {
        "services": {name: service},
        "x-maestro": {
            "routes": [{"service": name, "port": 8000, "host": "keeper.test"}],
            # Who is unhealthy stays so until it is replaced.
            "watchdog": False,
        },
    }


def logs(direct: Direct, path: str) -> list[list[str]]:
    names = [item["Name"].lstrip("/") for item in direct.containers("keeper")]
    return [direct.until(f"docker exec {name} cat {path}/log").split() for name in names]


def volumes_of(direct: Direct) -> set[str]:
    return set(lab.ssh(direct.host, "docker volume ls -q").split())


@pytest.mark.both_composes
def test_volumes_without_a_name_go_along(direct: Direct, volume_image: str) -> None:
    direct.remove("keeper")
    empty = volumes_of(direct)
    direct.write("keeper", keeper(volume_image, "one"))
    assert "store keeps /own in a volume without a name" in direct.plan("keeper", "v1")
    assert direct.deploy("keeper", "v1")
    direct.write("keeper", keeper(volume_image, "two"))
    plan = direct.plan("keeper", "v2")
    assert "because it keeps /data in a volume without a name: its requests fail" in plan
    assert direct.deploy("keeper", "v2")
    broken = {"test": ["CMD", "false"], "interval": "1s", "retries": 1}
    direct.write("keeper", keeper(volume_image, "bad", healthcheck=broken))
    with pytest.raises(MaestroError, match="store"):
        direct.deploy("keeper", "v3")
    for path in ("/data", "/own"):
        assert [log[:2] for log in logs(direct, path)] == [["one", "two"]] * 2
    assert len(volumes_of(direct) - empty) == 4


def test_no_volume_without_a_name_is_left_behind(direct: Direct, volume_image: str) -> None:
    direct.remove("keeper")
    empty = volumes_of(direct)
    quick = healthy("sh", "-c", "! test -e /sick") | {"interval": "1s", "retries": 1}
    direct.write("keeper", keeper(volume_image, "one", deploy={}, healthcheck=quick))
    assert direct.deploy("keeper", "v1")
    # An unhealthy one is replaced, and its data is not.
    lab.ssh(direct.host, "docker exec keeper-store-1 touch /sick")
    direct.until("docker ps --filter health=unhealthy --format '{{.Names}}' | grep keeper-store-1")
    before = volumes_of(direct)
    assert direct.deploy("keeper", "v1")
    assert volumes_of(direct) == before

    # What would be lost is refused; what is thrown away starts first, and is not left behind.
    direct.write("keeper", keeper(volume_image, "one", name="renamed"))
    with pytest.raises(
        MaestroError, match="store is removed and renamed is added: what store keeps in"
    ):
        direct.decide("keeper", "v2")
    for value in ("three", "four"):
        stack = keeper(volume_image, value, deploy={})
        stack["x-maestro"]["throw_away"] = {"store": ["/data", "/own"]}
        direct.write("keeper", stack)
        assert "(start-first)" in direct.plan("keeper", value)
        assert direct.deploy("keeper", value)
    assert logs(direct, "/data") == [["four"]]
    assert len(volumes_of(direct) - empty) == 2


# Programs that lock their data


def locker(*mounts: str, **changes: Any) -> dict[str, Any]:
    """A server that ends at once where another one has the lock of its data."""
    serve = "exec busybox httpd -f -p 8000 -h /"
    locks = " ".join(f"flock -n {mount.split(':')[1]}/lock" for mount in mounts)
    return {
        "image": IMAGE,
        "command": ["sh", "-c", f"exec {locks} sh -c '{serve}'"],
        "volumes": list(mounts),
        "init": True,
        "stop_grace_period": "1s",
        "healthcheck": healthy(
            "busybox", "wget", "-qO/dev/null", "http://127.0.0.1:8000/etc/hosts"
        ),
        **changes,
    }


def lockers(services: dict[str, Any], route: str, **extension: Any) -> dict[str, Any]:
    return {
        "services": services,
        "volumes": {"xx": {}, "yy": {}},
        "x-maestro": {
            "routes": [{"service": route, "port": 8000, "host": "lock.test"}],
            **extension,
        },
    }


@pytest.mark.users_of_host
def test_programs_that_lock_their_data_take_over_from_each_other(direct: Direct) -> None:
    lab.ssh(direct.host, "rm -rf /srv/lock; mkdir /srv/lock; ln -sfn lock /srv/link")
    path = "/srv/lock:/p"
    direct.write("lock", lockers({"one": locker("xx:/x", path), "two": locker("yy:/y")}, "one"))
    assert direct.deploy("lock", "v1")

    # Both stay and swap their volumes; a new one takes a path over, by another name of it.
    swapped = {
        "one": locker("yy:/z"),
        "two": locker("xx:/w"),
        "three": locker("/srv/link/:/q"),
        "migrate": {
            "image": IMAGE,
            "command": ["sh", "-c", "exit $${CODE}"],
            "environment": {"CODE": "1"},
            "depends_on": {"three": {"condition": "service_healthy"}},
        },
    }
    migrates = {"migrations": [{"service": "migrate", "timeout": 20}]}
    direct.write("lock", lockers(swapped, "one", **migrates))
    plan = direct.plan("lock", "v3")
    for waits in (
        "one stops before its new container starts, because it writes the volume lock_yy",
        "one stops before two starts: both hold the volume lock_xx",
        "two stops before one starts: both hold the volume lock_yy",
    ):
        assert waits in plan
    with pytest.raises(MaestroError, match="the migration migrate failed"):
        direct.deploy("lock", "v3")
    assert {item["State"]["Status"] for item in direct.containers("lock")} == {"running"}
    swapped["migrate"]["environment"] = {"CODE": "0"}
    direct.write("lock", lockers(swapped, "one", **migrates))
    assert direct.deploy("lock", "v3")
    assert not direct.deploy("lock", "v3")
    assert direct.rollback("lock")


# Two stacks


def test_what_another_stack_still_writes_is_refused_with_both_owners(direct: Direct) -> None:
    def shares(mount: str) -> dict[str, Any]:
        volume = {"handed": {"external": True}}
        return {"services": {"app": locker(mount)}, "volumes": volume}

    lab.ssh(direct.host, "docker volume create handed")
    direct.write("giver", shares("handed:/data"))
    direct.write("taker", shares("handed:/data"))
    assert direct.deploy("giver", "v1")
    with pytest.raises(
        MaestroError,
        match=r"volume handed would be written by taker/app while giver/app \(container giver-app",
    ):
        direct.decide("taker", "v1")
    direct.write("taker", shares("handed:/data:ro"))
    direct.decide("taker", "v1")
    direct.remove("giver")
    direct.write("taker", shares("handed:/data"))
    direct.decide("taker", "v1")
    lab.ssh(direct.host, "docker volume rm handed; rm -rf /srv/lock /srv/link")

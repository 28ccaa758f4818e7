"""What is another's stays another's: containers made by hand, names, routes, volumes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError


def service(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A web service that answers this text."""
    page = f"mkdir -p /tmp/w && echo {text} > /tmp/w/index.html"
    run = f"{page} && exec busybox httpd -f -p 8000 -h /tmp/w"
    return {
        "image": IMAGE,
        "init": True,
        "command": ["sh", "-c", run],
        "stop_grace_period": "1s",
        "healthcheck": {
            "test": ["CMD", "busybox", "wget", "-qO-", "http://127.0.0.1:8000/"],
            "interval": "1s",
            "start_interval": "200ms",
            "start_period": "10s",
        },
        **more,
    }


CRASHES = service(command=["sh", "-c", "exit 3"])


def by_hand(direct: Direct, project: str, stack: dict[str, Any], *words: str) -> None:
    """`docker compose up` as somebody types it, of a directory that is not ours."""
    text = json.dumps(yaml.safe_dump(stack))
    up = " ".join(words) or "up -d --quiet-pull"
    lab.ssh(
        direct.host,
        f"mkdir -p /srv/{project} && cd /srv/{project} && "
        f'python3 -c \'import json,sys; open("compose.yaml","w").write(json.load(sys.stdin))\' '
        f"<<'END'\n{text}\nEND\n"
        f"cd /srv/{project} && docker compose -p {project} {up}",
    )


def running(direct: Direct, project: str) -> dict[str, str]:
    """Names of the project's containers, with what they do."""
    found = lab.ssh(
        direct.host,
        f"docker ps -a --filter label=com.docker.compose.project={project} "
        "--format '{{.Names}} {{.State}}'",
    )
    return dict(line.split() for line in found.splitlines())


def says(direct: Direct, container: str, path: str = "/tmp/w/index.html") -> str:
    return lab.ssh(direct.host, f"docker exec {container} cat {path}").strip()


@pytest.fixture
def notes(direct: Direct) -> Iterator[str]:
    """A project made by hand: web, twice, which wrote something, and cron; with a volume."""
    name = "notes"
    web = service("by-hand", volumes=["data:/data"])
    cron = {"image": IMAGE, "init": True, "command": ["sleep", "1d"]}
    stack = {"services": {"web": web, "cron": cron}, "volumes": {"data": {}}}
    by_hand(direct, name, stack, "up -d --quiet-pull --scale web=2")
    lab.ssh(
        direct.host, f"docker exec {name}-web-1 sh -c 'echo kept > /tmp/note; echo 1 > /data/x'"
    )
    yield name
    direct.remove(name)
    lab.ssh(direct.host, f"rm -rf /srv/{name}")


MOUNTED = {"volumes": {"data": {}}}


def images_without_a_name(host: str) -> set[str]:
    """Ids of images that nothing names any more, and of those that keep what containers wrote."""
    asked = "docker image ls -q --filter dangling=true; docker image ls -q maestro-adopted"
    return set(lab.ssh(host, asked).split())


@pytest.mark.both_composes
def test_what_nobody_of_ours_made_stays_until_it_is_taken_over(direct: Direct, notes: str) -> None:
    before = running(direct, notes)
    # What other tests left on the host is none of ours.
    nameless = images_without_a_name(direct.host)
    ids = {item["Id"] for item in direct.containers(notes)}
    direct.write(notes, {"services": {"web": {**CRASHES, "volumes": ["data:/data"]}}, **MOUNTED})
    with pytest.raises(MaestroError) as refused:
        direct.deploy(notes)
    for word in ("notes-web-1", "notes-web-2", "notes-cron-1", "/srv/notes", "-e adopt=true"):
        assert word in str(refused.value)
    assert {item["Id"] for item in direct.containers(notes)} == ids

    # A failed one leaves what ran, with what it wrote.
    direct.options = {"adopt": True}
    plan = direct.plan(notes)
    assert "takes over notes-web-1, made from /srv/notes" in plan
    assert "notes-cron-1 (service cron) was not deployed by Maestro and stays" in plan
    assert "the volume notes_data already exists" in plan
    cron = direct.container(notes, "cron")["Id"]
    with pytest.raises(MaestroError):
        direct.deploy(notes)
    assert running(direct, notes) == before == dict.fromkeys(before, "running")
    assert direct.container(notes, "cron")["Id"] == cron
    assert says(direct, f"{notes}-web-1", "/tmp/note") == "kept"
    assert says(direct, f"{notes}-web-1") == "by-hand"
    assert (
        lab.ssh(direct.host, f"find /opt/maestro/{notes}/adopted -type f 2>/dev/null; true") == ""
    )

    # Nor does one whose controller vanished.
    good = {"services": {"web": service("ours", volumes=["data:/data"])}, **MOUNTED}
    direct.write(notes, good)
    direct.vanish(notes)
    assert running(direct, notes) == before

    # A good one takes over what it names, and nothing else.
    assert direct.deploy(notes)
    assert direct.container(notes, "cron")["Id"] == cron
    web = direct.container(notes, "web")["Name"].lstrip("/")
    assert says(direct, web) == "ours"
    assert says(direct, web, "/data/x") == "1"
    direct.options = {}
    assert not direct.deploy(notes)
    assert images_without_a_name(direct.host) <= nameless
    assert lab.ssh(direct.host, f"ls -A /opt/maestro/{notes}/adopted 2>/dev/null; true") == ""

    # Later releases, back and forth, leave it alone too.
    direct.write(notes, {"services": {"web": {**CRASHES, "volumes": ["data:/data"]}}, **MOUNTED})
    with pytest.raises(MaestroError):
        direct.deploy(notes, "v2")
    direct.write(notes, {"services": {"web": service("new", volumes=["data:/data"])}, **MOUNTED})
    assert direct.deploy(notes, "v2")
    assert direct.rollback(notes)
    assert direct.container(notes, "cron")["Id"] == cron
    assert running(direct, notes)[f"{notes}-cron-1"] == "running"

    # It goes when that is asked for.
    direct.options = {"remove_unnamed": True}
    direct.write(notes, good)
    assert "remove    cron" in direct.plan(notes)
    assert direct.deploy(notes)
    assert f"{notes}-cron-1" not in running(direct, notes)
    direct.options = {}


ASK = r"""
import http.client, os, ssl, sys, time
context = ssl._create_unverified_context()
total, failed = 0, []
while not os.path.exists(sys.argv[1]):
    for line in sys.argv[2:]:
        host, path, wanted = line.split(",")
        total += 1
        try:
            link = http.client.HTTPSConnection("127.0.0.1", 443, timeout=5, context=context)
            link.request("GET", path, headers={"Host": host})
            answer = link.getresponse()
            body = answer.read().decode().strip()
            if (answer.status, body) != (200, wanted):
                failed.append(f"{host}: {answer.status} {body[:40]}")
            link.close()
        except OSError as error:
            failed.append(f"{host}: {error}")
    time.sleep(0.02)
print(total, len(failed), failed[:3])
"""


@contextlib.contextmanager
def under_requests(direct: Direct, *asked: str) -> Iterator[None]:
    """Requests for ``HOST,PATH,ANSWER`` all the time: none may fail."""
    stop = f"/run/stop-{time.time_ns()}"
    said: list[str] = []

    def ask() -> None:
        words = " ".join(f"'{line}'" for line in asked)
        said.append(lab.ssh(direct.host, f"python3 -c '{ASK}' {stop} {words}; rm {stop}"))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        time.sleep(0.5)
        lab.ssh(direct.host, f"touch {stop}")
        thread.join()
    total, failed, *which = said[0].split(" ", 2)
    assert int(total) > 10
    assert failed == "0", which


def routed(service_name: str, host: str = "", path: str = "/", **said: Any) -> dict[str, Any]:
    route = {"service": service_name, "port": 8000, "path": path, "drain": 1}
    return {
        "services": {service_name: service(**said)},
        "x-maestro": {"routes": [{**route, **({"host": host} if host else {})}]},
    }


def test_two_stacks_whose_names_join_to_one(direct: Direct) -> None:
    direct.write("shop", routed("api-web", "shop.test", text="first"))
    assert direct.deploy("shop")
    # Their containers would have one name: refused, with both owners.
    second = routed("web", "api.test", text="second")
    direct.write("shop-api", second)
    with pytest.raises(MaestroError) as refused:
        direct.deploy("shop-api")
    for word in ("web of shop-api", "api-web of shop", "shop-api-web-1"):
        assert word in str(refused.value)
    assert running(direct, "shop-api") == {}
    # Names at the edge cannot meet.
    second["services"]["web"]["container_name"] = "second"
    direct.write("shop-api", second)
    with under_requests(direct, "shop.test,/,first"):
        assert direct.deploy("shop-api")
        assert not direct.deploy("shop-api")
    with under_requests(direct, "shop.test,/,first", "api.test,/,second"):
        direct.write("shop", routed("api-web", "shop.test", text="first", environment={"A": "1"}))
        assert direct.deploy("shop", "v2")
        # A file with the names that were given before, and the agent that writes it anew.
        file = "/etc/maestro/edge/dynamic/stack-shop.yml"
        lab.ssh(direct.host, f"sed 's/~shop//g; s/~/-/g' {file} > {file}.x; mv {file}.x {file}")
        time.sleep(0.5)
        lab.ssh(direct.host, "systemctl restart maestro-agent")
        direct.until(f"grep -q '~shop' {file}")
        time.sleep(0.5)


def test_no_stack_takes_the_requests_of_another(direct: Direct) -> None:
    direct.write("wide", routed("web", path="/wide", text="wide"))
    assert direct.deploy("wide")
    direct.write("narrow", routed("web", path="/wide/notes", text="narrow"))
    with pytest.raises(MaestroError) as refused:
        direct.deploy("narrow")
    assert "the route any host, /wide/notes of narrow takes requests of the stack wide" in str(
        refused.value
    )
    assert running(direct, "narrow") == {}
    direct.write("narrow", routed("web", "narrow.test", text="narrow"))
    assert "requests for narrow.test, /wide go to narrow and not to wide" in direct.plan("narrow")


READS = ["sh", "-c", "sleep 0.2; cat /data/x > /tmp/seen; exec sleep 1d"]


def test_anothers_volume_needs_the_word_of_both(direct: Direct) -> None:
    keep = {"image": IMAGE, "init": True, "stop_grace_period": "1s"}
    db = {**keep, "command": ["sh", "-c", "echo secret > /data/x; exec sleep 1d"]}
    owner: dict[str, Any] = {"services": {"db": {**db, "volumes": ["data:/data"]}}, **MOUNTED}
    direct.write("owner", owner)
    assert direct.deploy("owner")

    def guest(**volume: Any) -> None:
        reads = {**keep, "command": READS, "volumes": ["theirs:/data:ro"]}
        stack = {
            "services": {"web": reads},
            "volumes": {"theirs": {"name": "owner_data", **volume}},
        }
        direct.write("guest", stack)

    for said, word in (({}, "the volume of owner already"), ({"external": True}, "does not share")):
        guest(**said)
        with pytest.raises(MaestroError, match=word):
            direct.deploy("guest")
    before = direct.container("owner", "db")["Id"]
    direct.write("owner", {**owner, "x-maestro": {"share": {"volumes": ["data"]}}})
    assert "share     volume owner_data (shared)" in direct.plan("owner")
    assert direct.deploy("owner")
    assert not direct.deploy("owner")
    assert direct.container("owner", "db")["Id"] == before
    assert direct.deploy("guest")
    web = direct.container("guest", "web")["Name"]
    assert direct.until(f"docker exec {web} cat /tmp/seen").strip() == "secret"


def test_a_label_makes_no_edge(direct: Direct) -> None:
    stack = {"services": {"web": service(labels={"maestro.edge": "x"})}}
    direct.write("labelled", stack)
    with pytest.raises(MaestroError, match=r"services\.web\.labels: found maestro\.edge: "):
        direct.deploy("labelled")
    lab.ssh(direct.host, f"docker run -d --name fake-edge --label maestro.edge=x {IMAGE} sleep 99")
    try:
        found = lab.ssh(
            direct.host,
            "PYTHONPATH=/usr/local/lib/maestro/agent.pyz python3 -c 'from maestro.host import "
            'edge_proxy, engine; print([i["Names"] for i in '
            "edge_proxy.of_host(engine.Engine())])'",
        )
        assert found.strip() == "[['/maestro-edge']]"
    finally:
        lab.ssh(direct.host, "docker rm -f fake-edge")


@pytest.mark.users_of_host
def test_an_account_of_the_host_with_a_readers_uid(direct: Direct) -> None:
    # No host of the lab has one by itself.
    assert lab.ssh(direct.host, "getent passwd 1000 || echo none").strip() == "none"
    direct.values["key"] = "sentinel"
    reader = {"image": IMAGE, "user": "1000:1000", "command": ["sleep", "1d"], "secrets": ["key"]}
    direct.write("reader", {"services": {"web": reader}, "secrets": {"key": {"file": "./key"}}})
    lab.ssh(direct.host, "useradd --uid 1000 --shell /bin/sh ann")
    try:
        plan = direct.plan("reader")
        assert "the account ann of the host has the uid 1000, which reads key" in plan
        direct.environment = "production"
        with pytest.raises(MaestroError, match=r"deploy_allowed_accounts: \[ann\]"):
            direct.decide("reader")
        direct.options = {"allowed_accounts": ["ann"]}
        direct.decide("reader")
    finally:
        direct.environment, direct.options = "staging", {}
        lab.ssh(direct.host, "userdel -f ann")

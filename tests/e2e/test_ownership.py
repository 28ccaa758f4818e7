"""What is another's stays another's: containers made by hand, names, routes, volumes."""

from __future__ import annotations

import json
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


@pytest.mark.both_composes
def test_what_nobody_of_ours_made_stays_until_it_is_taken_over(direct: Direct, notes: str) -> None:
    before = running(direct, notes)
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
    assert "notes-cron-1 (service cron) was made by no release of Maestro and stays" in plan
    assert "the volume notes_data is there already" in plan
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
    assert (
        lab.ssh(
            direct.host,
            "docker image ls -q --filter dangling=true; docker image ls -q maestro-adopted",
        )
        == ""
    )
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

"""Whether a host serves one release wholly, seen from the host itself and without its SSH."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from e2e import lab

# Reads what is there with nothing of Maestro's own.
LOOK = r"""
import json, os, subprocess, sys, urllib.request

stack = sys.argv[1]
home = f"/opt/maestro/{stack}"
wrong = []


def docker(*words):
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


def service_of(container):
    return container["Config"]["Labels"]["com.docker.compose.service"]


try:
    release = os.path.basename(os.readlink(f"{home}/current"))
    manifest = json.load(open(f"{home}/releases/{release}/release.json"))
    found = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={stack}").split()
    there = json.loads(docker("inspect", *found)) if found else []
    for name, wanted in manifest["services"].items():
        mine = [container for container in there if service_of(container) == name]
        if len(mine) != wanted["replicas"]:
            wrong.append(f"{name}: {len(mine)} containers instead of {wanted['replicas']}")
        for container in mine:
            state = container["State"]
            if container["Config"]["Labels"].get("maestro.service-hash") != wanted["hash"]:
                wrong.append(f"{name}: {container['Id'][:12]} is of another release")
            if state["Status"] != "running":
                wrong.append(f"{name}: {container['Id'][:12]} is {state['Status']}")
            elif state.get("Health", {}).get("Status", "healthy") != "healthy":
                wrong.append(f"{name}: {container['Id'][:12]} is {state['Health']['Status']}")
    strangers = {service_of(container) for container in there} - set(manifest["services"])
    wrong += [f"{name}: the release has no such service" for name in sorted(strangers)]
    versions = set()
    for name in os.listdir(f"{home}/releases"):
        path = f"{home}/releases/{name}/release.json"
        if os.path.exists(path):
            versions |= set(json.load(open(path))["secrets"].items())
        else:
            wrong.append(f"release {name} was staged and left")
    for name, version in manifest["secrets"].items():
        if not os.path.isdir(f"{home}/secrets/{name}/{version}"):
            wrong.append(f"secret {name} {version} is missing")
    for name in os.listdir(f"{home}/secrets"):
        for version in os.listdir(f"{home}/secrets/{name}"):
            if (name, version) not in versions:
                wrong.append(f"secret {name} {version} was written and left")
    if os.path.exists(f"{home}/lease.json"):
        wrong.append("the lease is still there")
    with urllib.request.urlopen("http://127.0.0.1:8000/", timeout=3) as answer:
        said = json.load(answer)
    if said["version"] != manifest["version"]:
        wrong.append(f"{said['version']} answers, {manifest['version']} is current")
    print(json.dumps({"release": release, "version": manifest["version"], "wrong": wrong,
                      "hits": said["hits"], "migrations": said["migrations"]}))
except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
    wrong.append(f"{type(error).__name__}: {error}")
    print(json.dumps({"release": "", "version": "", "wrong": wrong, "hits": 0, "migrations": 0}))
"""


@dataclass(frozen=True)
class Seen:
    """What a host serves, and all that is not as that release wants it."""

    release: str
    version: str
    wrong: list[str]
    hits: int
    migrations: int


def machine(host: str) -> str:
    """The container on this machine that is a lab's host."""
    settings = lab.settings()
    return f"{settings['name']}-{host}"


def within(host: str, *argv: str, text: str = "", check: bool = True) -> str:
    """Run a command on a host past its network; what it wrote."""
    done = subprocess.run(
        ["docker", "exec", "-i", machine(host), *argv],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 or not check, f"{host}: {' '.join(argv)}:\n{done.stdout}"
    return done.stdout


def look(host: str, stack: str = "counter") -> Seen:
    """What a host serves now."""
    said = within(host, "python3", "-", stack, text=LOOK, check=False)
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return Seen("", "", [f"the host does not answer: {said.strip()[-200:]}"], 0, 0)
    return Seen(**found)


def until_whole(host: str, limit: float, stack: str = "counter") -> Seen:
    """What a host serves once it serves one release wholly, within ``limit`` seconds or not."""
    deadline = time.monotonic() + limit
    while (seen := look(host, stack)).wrong and time.monotonic() < deadline:
        time.sleep(0.5)
    return seen

"""The edge's own container: a new one comes up beside the old, takes over, the old one ends.

Both listen on the same ports (``SO_REUSEPORT``), so that no connection is refused. With
``net.ipv4.tcp_migrate_req`` the kernel hands connections that wait at the old one to the new.
"""

from __future__ import annotations

import calendar
import hashlib
import http.client
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MaestroError
from . import edge
from .engine import Engine

NAME = "maestro-edge"
LABEL = "maestro.edge"  # its value tells what a container was made of
START = 30.0  # seconds a new one may take until it follows all routes
POLL = 0.05


@dataclass(frozen=True)
class Wish:
    """What the edge shall be: its image, the uid it runs as, its static configuration.

    ``grace`` is how many seconds an old one gets to finish what it began.
    """

    image: str
    uid: int
    static: str
    grace: int


def ensure(wish: Wish, *, check: bool = False) -> bool:
    """Have exactly the wanted edge running; whether anything had to be changed.

    Raises `MaestroError` with the new one's last lines when it does not come up: the old
    one, where there is one, goes on as if nothing had been.
    """
    engine = Engine()
    image_id = _image(engine, wish.image)
    definition = _definition(wish)
    name = hashlib.sha256(f"{image_id}{json.dumps(definition)}{wish.static}".encode()).hexdigest()
    there = engine.containers(LABEL)
    wanted = [item for item in there if item["Labels"][LABEL] == name[:16]]
    serving = [item for item in wanted if item["State"] == "running"]
    others = [item for item in there if item not in serving[:1]]
    if image_id and serving and not others:
        return False
    if check:
        return True
    if not image_id:
        _pull(wish.image)
        return ensure(wish)
    with edge.locked():
        if not serving:
            _clear(engine, wanted)
            others = [item for item in others if item not in wanted]
            serving = [_start(engine, {**definition, "Labels": {LABEL: name[:16]}})]
        for item in others:
            engine.request("POST", f"/containers/{item['Id']}/kill", {"signal": "SIGTERM"})
    # The old ones finish what they have; nothing new reaches them any more.
    for item in others:
        engine.remove(str(item["Id"]), wish.grace + 10)
    engine.request("POST", f"/containers/{serving[0]['Id']}/rename", {"name": NAME})
    return True


def _definition(wish: Wish) -> dict[str, Any]:
    """The container as the Engine's API wants it: no rights but to read its directory."""
    return {
        "Image": wish.image,
        "User": f"{wish.uid}:{wish.uid}",
        "Cmd": [f"--configFile={edge.DIRECTORY}/traefik.yml"],
        "StopTimeout": wish.grace + 10,
        "HostConfig": {
            "NetworkMode": "host",
            "Binds": [
                f"{edge.DIRECTORY}:{edge.DIRECTORY}:ro",
                f"{edge.DIRECTORY}/acme:{edge.DIRECTORY}/acme",
            ],
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "RestartPolicy": {"Name": "unless-stopped"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Memory": 512 << 20,
            "PidsLimit": 512,
        },
    }


def _image(engine: Engine, image: str) -> str:
    """The id of an image that is on the host, or nothing."""
    status, body = engine.request("GET", f"/images/{image}/json")
    return str(json.loads(body)["Id"]) if status == 200 else ""


def _pull(image: str) -> None:
    """Pull with the login this host has."""
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        ["docker", "pull", "--quiet", image],  # noqa: S607 -- where docker stands differs by host
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise MaestroError(
            f"the edge's image cannot be pulled: {done.stderr.strip()[-500:]}",
            where=image,
            fix="set edge_image to an image this host reaches; in the lab `make lab` builds one",
        )


def _start(engine: Engine, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Start a new container and return when it follows every route there is."""
    new = engine.create(f"{NAME}-{time.time_ns():x}", definition)
    began = time.time()
    status, body = engine.request("POST", f"/containers/{new}/start")
    problem = "" if status < 400 else body.decode("utf-8", "replace")
    deadline = time.monotonic() + START
    while not problem and not _follows(began):
        state = engine.inspect(new)["State"]
        if state["Status"] != "running" or state.get("Restarting"):
            problem = f"it ended with exit code {state['ExitCode']}"
        elif time.monotonic() > deadline:
            problem = f"it does not follow the routes within {START:.0f} s"
        time.sleep(POLL)
    if problem:
        lines = engine.logs(new, 5).strip()
        engine.remove(new, 1)
        raise MaestroError(
            f"the edge does not come up: {problem}\n{lines}",
            where="this host",
            fix="free the port it names, or correct the edge_ variables; "
            "an old edge, where there was one, goes on",
        )
    return {"Id": new}


def _follows(since: float) -> bool:
    """Whether an edge started after ``since`` is in force: asked on one connection.

    Old and new share the API's port, and it is the kernel that chooses: a connection that
    reached the new one stays with it.
    """
    settings = edge.settings()
    connection = http.client.HTTPConnection("127.0.0.1", int(settings["api_port"]), timeout=2)
    try:
        connection.request("GET", "/api/version")
        answer = connection.getresponse()
        document = json.loads(answer.read()) if answer.status == 200 else {}
        if _seconds(str(document.get("startDate", ""))) < since - 1:
            return False
        for marker in edge.markers():
            connection.request("GET", f"/api/http/middlewares/{marker}@file")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                return False
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _seconds(date: str) -> float:
    """``2026-01-02T03:04:05.678Z`` in seconds since 1970; 0 where it is no date."""
    try:
        return float(calendar.timegm(time.strptime(date[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def _clear(engine: Engine, stopped: list[dict[str, Any]]) -> None:
    for item in stopped:
        engine.remove(str(item["Id"]), 1)

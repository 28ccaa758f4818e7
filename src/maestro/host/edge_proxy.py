"""The edge's own container: a new one comes up beside the old, takes over, the old one ends.

Both listen on the same ports (``SO_REUSEPORT``), so that no connection is refused. With
``net.ipv4.tcp_migrate_req`` the kernel hands connections that wait at the old one to the new.
Traefik listens some milliseconds before it knows its routes, and would answer 404: until then
new connections are held back, by a rule of the firewall that ends by itself.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import http.client
import json
import re
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import edge, edge_acme, edge_api, userns
from .engine import Engine
from .labels import NUMBER
from .layout import write_atomically

NAME = "maestro-edge"
# On each container that Compose makes; on images that it builds are others of its labels.
_NAMED = re.compile(rf"{NAME}(-[0-9a-f]+)?\Z")  # a new one has a name of its own until it serves
LABEL = "maestro.edge"  # its value tells what a container was made of
START = 30.0  # seconds a new one may take until it follows all routes
POLL = 0.05
# Bytes of memory for each connection, which bounds their number. Tried: 125 KiB with TLS and 60 KB
# of a header without end; 7,471 of those end an edge of 1 GiB. The rest is for collecting the heap.
_CONNECTION = 192 << 10
MODE = 0o644  # of the files, which hold no secret
HELD = 10.0  # seconds after which connections are let through, whatever became of us


@dataclass(frozen=True)
class Wish:
    """What the edge shall be: its image, the uid it runs as, and what its files say.

    ``grace`` is how many seconds an old one gets to finish what it began, ``memory`` how many MiB
    it may take. ``static`` and ``dynamic`` are Traefik's, as YAML; ``settings`` are what
    `edge.settings` answers. ``metrics_password`` is for programs that read the metrics; without
    one the host's own programs alone may. ``acme_environment`` is shown a provider of DNS.
    """

    image: str
    uid: int
    grace: int
    static: str
    dynamic: str
    settings: Mapping[str, Any]
    memory: int = 1024
    metrics_password: str = field(default="", repr=False)
    acme_environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def configure(wish: Wish, *, check: bool = False) -> list[dict[str, str]]:
    """Write what Traefik and the code on the host read; a diff of each file that changed.

    Traefik reads a certificate when the file that names it changes: its digest stands there.
    What changes in a file of passwords is not shown.
    """
    if not check:
        # Anybody could hold the lock of before.
        (edge.DIRECTORY / ".lock").unlink(missing_ok=True)
    users = edge_api.configure(edge.DIRECTORY, wish.metrics_password, check=check)
    users += edge_acme.configure(edge.DIRECTORY, wish.acme_environment, wish.uid, check=check)
    certificate = edge.DIRECTORY / "certs" / "edge.crt"
    digest = hashlib.sha256(certificate.read_bytes() if certificate.exists() else b"").hexdigest()
    files = {
        "traefik.yml": wish.static,
        "dynamic/edge.yml": f"{wish.dynamic}# {digest}\n",
        "edge.json": f"{json.dumps(wish.settings, indent=2, sort_keys=True)}\n",
    }
    changed = [{**_header(path), "before": "", "after": "(not shown)\n"} for path in users]
    for name, wanted in files.items():
        path = edge.DIRECTORY / name
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there == wanted and stat.S_IMODE(path.stat().st_mode) == MODE:
            continue
        if not check:
            write_atomically(path, wanted, MODE)
        changed.append({**_header(path), "before": there, "after": wanted})
    return changed


def _header(path: Path) -> dict[str, str]:
    return {"before_header": str(path), "after_header": str(path)}


def ensure(wish: Wish, *, check: bool = False) -> bool:
    """Have exactly the wanted edge running; whether anything had to be changed.

    Raises `MaestroError` with the new one's last lines when it does not come up: the old
    one, where there is one, goes on as if nothing had been.
    """
    engine = Engine()
    if not check and not _image(engine, wish.image):
        pull(wish.image)
    definition = _definition(wish, remapped=userns.here(engine).on)
    content = f"{_image(engine, wish.image)}{json.dumps(definition)}{wish.static}"
    if wish.acme_environment:
        content += edge_acme.age(edge.DIRECTORY)
    label = {LABEL: hashlib.sha256(content.encode()).hexdigest()[:16]}
    with edge.locked():
        there = of_host(engine)
        running = [item for item in there if item["State"] == "running"]
        serving = [item for item in running if item["Labels"][LABEL] == label[LABEL]][:1]
        others = [item for item in there if item not in serving]
        if check or (serving and not others):
            return not serving or bool(others)
        if serving:
            new = str(serving[0]["Id"])
        else:
            with _held_back(bool(running)):
                new = _start(engine, {**definition, "Labels": label})
        for item in others:
            engine.request("POST", f"/containers/{item['Id']}/kill", {"signal": "SIGTERM"})
    # The old ones finish what they have; nothing new reaches them any more.
    for item in others:
        engine.remove(str(item["Id"]), wish.grace + 10)
    engine.request("POST", f"/containers/{new}/rename", {"name": NAME})
    return True


def of_host(engine: Engine) -> list[dict[str, Any]]:
    """The edge's containers of this host, running or not.

    Anybody can write a label, into a file or an image. The edge was also made by no Compose, has
    its own name, stands in the host's network and mounts the edge's directory, which no stack may.
    """
    return [item for item in engine.containers(LABEL) if _made_here(item)]


def _made_here(item: Mapping[str, Any]) -> bool:
    names = [str(name).lstrip("/") for name in item.get("Names") or []]
    mounts = {(str(m.get("Source")), str(m.get("Destination"))) for m in item.get("Mounts") or []}
    return (
        NUMBER not in item["Labels"]
        and any(_NAMED.match(name) for name in names)
        and (item.get("HostConfig") or {}).get("NetworkMode") == "host"
        and (str(edge.DIRECTORY), str(edge.DIRECTORY)) in mounts
    )


def _definition(wish: Wish, *, remapped: bool = False) -> dict[str, Any]:
    """The container as the Engine's API wants it: no rights but to read its directory.

    ``remapped``: other containers have users of their own, and may not join the host's network.
    """
    memory = wish.memory << 20
    files = memory // _CONNECTION
    acme = f"{edge.DIRECTORY}/acme"
    return {
        "Image": wish.image,
        "User": f"{wish.uid}:{wish.uid}",
        "Cmd": [f"--configFile={edge.DIRECTORY}/traefik.yml"],
        # The heap is collected in time, and not the container ended by the kernel.
        "Env": [f"GOMEMLIMIT={memory * 3 // 4}", *edge_acme.environment(edge.DIRECTORY)],
        "StopTimeout": wish.grace + 10,
        "HostConfig": {
            "NetworkMode": "host",
            **({"UsernsMode": "host"} if remapped else {}),
            "Binds": [
                f"{edge.DIRECTORY}:{edge.DIRECTORY}:ro",
                # What a service for certificates gives is all that the edge may write.
                *([f"{acme}:{acme}"] if f"{acme}/" in wish.static else []),
            ],
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "RestartPolicy": {"Name": "unless-stopped"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Memory": memory,
            "MemorySwap": memory,
            "Ulimits": [{"Name": "nofile", "Soft": files, "Hard": files}],
            "PidsLimit": 512,
            # All stacks are behind it: where processors are short, it comes first.
            "CpuShares": 2048,
        },
    }


def _image(engine: Engine, image: str) -> str:
    """The id of an image that is on the host, or nothing."""
    status, body = engine.request("GET", f"/images/{image}/json")
    return str(json.loads(body)["Id"]) if status == 200 else ""


def pull(image: str) -> None:
    """Pull with the login this host has. Raises `MaestroError`."""
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


def _start(engine: Engine, definition: Mapping[str, Any]) -> str:
    """Start a new container; its id, when it follows every route there is."""
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
            problem = f"it has not loaded the routes within {START:.0f} s"
        time.sleep(POLL)
    if problem:
        lines = engine.logs(new, 5).strip()
        with contextlib.suppress(MaestroError):
            engine.remove(new, 1)
        raise MaestroError(
            f"the edge does not come up: {problem}\n{lines}",
            where="this host",
            fix="free the port it names, or correct the edge_ variables; an old edge, if there is "
            "one, keeps running",
        )
    return new


@contextlib.contextmanager
def _held_back(needed: bool) -> Iterator[None]:  # noqa: FBT001 -- for this file alone
    """Let whoever connects meanwhile wait: a dropped SYN is sent again after a second."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + HELD))
    rule = ["INPUT", "-p", "tcp", "--syn", "-m", "multiport", "--dports", "80,443"]
    rule += ["-m", "time", "--datestop", end, "-j", "DROP"]
    # Without these programs the edge still changes, with a few milliseconds of 404.
    programs = ("iptables", "ip6tables") if needed else ()
    held = [program for program in programs if _firewall(program, "-I", rule)]
    try:
        yield
    finally:
        for program in held:
            _firewall(program, "-D", rule)


def _firewall(program: str, order: str, rule: list[str]) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            [program, "-w", "5", order, *rule],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _follows(since: float) -> bool:
    """Whether an edge started after ``since`` is in force: asked on one connection.

    Old and new share the API's port, and it is the kernel that chooses: a connection that
    reached the new one stays with it.
    """
    settings = edge.settings()
    connection = http.client.HTTPConnection("127.0.0.1", int(settings["api_port"]), timeout=2)
    try:
        shown = edge_api.headers(edge.DIRECTORY)
        connection.request("GET", "/api/version", headers=shown)
        answer = connection.getresponse()
        document = json.loads(answer.read()) if answer.status == 200 else {}
        if _seconds(str(document.get("startDate", ""))) < since - 1:
            return False
        for marker in edge.markers():
            connection.request("GET", f"/api/http/middlewares/{marker}@file", headers=shown)
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

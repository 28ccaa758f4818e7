"""The containers that ran before a restart of the Engine, and run after it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MaestroError
from .engine import Engine

SETTLE = 5.0  # seconds the Engine's own restart policies get before a container is started here
_SWARM_TASK = "com.docker.swarm.task"


@dataclass(frozen=True)
class Running:
    """A container that ran before the Engine was restarted."""

    id: str
    name: str
    paused: bool = False


def info_or_none(engine: Engine) -> dict[str, Any]:
    """What the Engine says of itself; nothing where none answers."""
    try:
        return engine.info()
    except MaestroError:
        return {}


def running(engine: Engine) -> list[Running]:
    """The containers that run now; those that a Swarm places are its own business."""
    return [
        Running(str(item["Id"]), str(item["Names"][0]).lstrip("/"), item["State"] == "paused")
        for item in engine.containers()
        if item["State"] in ("running", "paused") and _SWARM_TASK not in item["Labels"]
    ]


def running_or_none(engine: Engine) -> list[Running]:
    """`running`; none where no Engine answers."""
    return running(engine) if info_or_none(engine) else []


def keep_running(engine: Engine, ran: Sequence[Running], *, kept: bool) -> list[str]:
    """Start what ran and does not any more; the names of what was started.

    ``kept``: the Engine left its containers running, so one that ended with 0 ended by itself.
    """
    if not ran:
        return []
    down = _down(engine, ran, kept=kept)
    deadline = time.monotonic() + SETTLE
    while any(_will_start(engine, item) for item in down) and time.monotonic() < deadline:
        time.sleep(0.25)
        down = _down(engine, ran, kept=kept)
    started, failed = [], []
    # Who borrows another's network starts after it.
    for item in sorted(down, key=lambda item: _borrows(engine, item)):
        state = engine.inspect(item.id)["State"]
        if kept and state["Status"] == "exited" and state["ExitCode"] == 0:
            continue
        try:
            _start(engine, item)
            started.append(item.name)
        except MaestroError as problem:
            failed.append(f"{item.name}: {problem.what}")
    if failed:
        raise MaestroError(f"these containers ran before and do not start now: {'; '.join(failed)}")
    return started


def _down(engine: Engine, ran: Sequence[Running], *, kept: bool) -> list[Running]:
    states = {str(item["Id"]): item["State"] for item in engine.containers()}
    gone = [item.name for item in ran if item.id not in states]
    # One that was started with --rm and ended by itself is gone as it should be.
    if gone and not kept:
        raise MaestroError(f"these containers ran before and are gone: {', '.join(gone)}")
    return [item for item in ran if states.get(item.id, "running") not in ("running", "paused")]


def _will_start(engine: Engine, item: Running) -> bool:
    """Whether the Engine itself starts it, by its restart policy."""
    detail = engine.inspect(item.id)
    policy = (detail["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"
    return policy != "no" or bool(detail["State"].get("Restarting"))


def _borrows(engine: Engine, item: Running) -> bool:
    host = engine.inspect(item.id)["HostConfig"]
    modes = (host.get(key) for key in ("NetworkMode", "PidMode", "IpcMode"))
    return any(str(mode or "").startswith("container:") for mode in modes)


def _start(engine: Engine, item: Running) -> None:
    steps = ["start", "pause"] if item.paused else ["start"]
    for step in steps:
        status, body = engine.request("POST", f"/containers/{item.id}/{step}")
        if status >= 400:
            said = json.loads(body or b"{}").get("message") or f"the Engine answered {status}"
            raise MaestroError(str(said))

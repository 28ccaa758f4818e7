"""How a host is, for `maestro doctor`: facts alone, and nothing is changed."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import compose, identity, insecure, reach
from .engine import Engine
from .layout import AGENT, deployed
from .registry import Registry
from .state import checksum

if TYPE_CHECKING:
    from ..records import CheckupFacts, CheckupRegistry, DiskFacts, EngineCheckup
    from .login import Login

# Units of the host's agent, and how they are; a deploy starts the timer, and it stops by itself.
UNITS = {"maestro-agent.service": "active", "maestro-switch.timer": "enabled"}
_PATIENCE = 10  # seconds for one command


def read(root: Path, registry: str = "", login: Login | None = None) -> CheckupFacts:
    """All that is asked; ``registry`` is the one that images come from, where there is one."""
    engine = Engine()
    found, info = _engine(engine)
    homes = [_there(path) for path in (root, Path(found["data"] or root))]
    places = {place.stat().st_dev: place for place in homes}
    return {
        "root": os.geteuid() == 0,
        "python": platform.python_version(),
        "at": time.time(),
        "synchronized": _said("timedatectl", "show", "--property=NTPSynchronized", "--value"),
        "disks": [_disk(place) for place in places.values()],
        "agent": checksum(AGENT),
        "units": {unit: _said("systemctl", f"is-{wanted}", unit) for unit, wanted in UNITS.items()},
        "identity": _identity(),
        "engine": found,
        "registry": _registry(registry, login, info) if registry else None,
        "stacks": [layout.stack for layout in deployed(root)],
        "silent": [] if found["problem"] else reach.problems(engine),
    }


def _engine(engine: Engine) -> tuple[EngineCheckup, dict[str, Any]]:
    none: EngineCheckup = {"version": "", "compose": "", "data": "", "problem": ""}
    try:
        info = engine.info()
    except MaestroError as problem:
        return {**none, "problem": problem.what}, {}
    found: EngineCheckup = {
        **none,
        "version": str(info.get("ServerVersion", "")),
        "data": str(info.get("DockerRootDir", "")),
    }
    with contextlib.suppress(MaestroError, OSError):
        found["compose"] = compose.version()
    return found, info


def _registry(registry: str, login: Login | None, info: dict[str, Any]) -> CheckupRegistry:
    strict = Registry(registry, login if login and login.registry == registry else None)
    try:
        insecure.Lenient(strict, info.get("RegistryConfig") or {}).answers()
    except MaestroError as problem:
        return {"name": registry, "problem": problem.what, "fix": problem.fix}
    return {"name": registry, "problem": "", "fix": ""}


def _identity() -> dict[str, str]:
    try:
        found = identity.read()
    except MaestroError as problem:
        return {"problem": str(problem)}
    return {"host": found.host, "environment": found.environment} if found else {}


def _there(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _disk(place: Path) -> DiskFacts:
    found = os.statvfs(place)
    return {
        "place": str(place),
        "free": found.f_bavail * found.f_frsize,
        "size": found.f_blocks * found.f_frsize,
        "files_free": found.f_favail,
        "files": found.f_files,
    }


def _said(*argv: str) -> str:
    """One line of a command's output; empty where there is no such program."""
    try:
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            argv, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

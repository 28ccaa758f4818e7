"""The Engine's service: what a new daemon.json would meet, the change, and the way back.

The Engine does not start where a flag of its service and daemon.json name the same key, and it
stops containers that it does not keep over a restart. So the service's own command line is asked
first (`dockerd --validate`), and what ran before a restart runs after it.
Keys and flags: https://docs.docker.com/reference/cli/dockerd/
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MaestroError, raise_all
from . import daemon_unit
from .daemon_containers import Running, info_or_none, keep_running, running, running_or_none
from .daemon_unit import Unit
from .engine import Engine
from .layout import write_atomically

FILE = Path("/etc/docker/daemon.json")
SERVICE = "docker.service"
DATA = "/var/lib/docker"
REMAP, NO_REMAP = "userns-remap", "none"
NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
_BOTH = re.compile(r"([\w-]+): \(from flag: ")
_SAYS_WHY = re.compile(r"failed to start daemon|unable to configure|level=(?:error|fatal)")


@dataclass
class Wish:
    """The file as it shall be; `accept_data` says that other data is meant."""

    text: str
    timeout: float = 60
    accept_data: bool = False
    file: Path = FILE


@dataclass
class Done:
    """What a change did: the text before, and containers that had to be started again."""

    changed: bool
    before: str = ""
    started: list[str] = field(default_factory=list)


# What cannot work


def problems(wish: Wish, unit: Unit, engine: Engine) -> list[MaestroError]:
    """Why this host cannot take the file; empty when it can. Nothing is changed."""
    return [
        *_other_file(wish, unit),
        *_not_valid(wish, unit),
        *_swarm(wish, unit, info_or_none(engine)),
        *_no_namespaces(wish, unit),
        *_other_data(wish, unit, engine),
        *_lost_by_a_restart(wish, unit, engine),
    ]


def _other_file(wish: Wish, unit: Unit) -> list[MaestroError]:
    found = unit.flags.get("config-file", str(wish.file))
    if found == str(wish.file):
        return []
    return [
        MaestroError(
            f"the Engine is started with --config-file={found} and does not read {wish.file}",
            where=unit.origin("config-file"),
            fix="remove the flag there, or leave the configuration to it: "
            "docker_engine_configure: false",
        )
    ]


def _not_valid(wish: Wish, unit: Unit) -> list[MaestroError]:
    """What the Engine itself says of the file, beside the flags of its service."""
    program = unit.program or shutil.which("dockerd")
    if not program:
        return []
    flags = unit.without("config-file")
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(wish.text)
        file.flush()
        command = [program, "--validate", "--config-file", file.name, *flags]
        done = _run(command, timeout=30)
    if done.returncode == 0:
        return []
    said = done.stderr.strip() or done.stdout.strip()
    twice = _BOTH.findall(said)
    if not twice:
        return [
            MaestroError(
                f"the Engine would not start with it: {_without_values(said)}",
                where=str(wish.file),
                fix="correct docker_engine_daemon_options, or the flags of the service "
                f"({', '.join(unit.files)})",
            )
        ]
    return [_twice(key, wish, unit) for key in twice]


def _twice(key: str, wish: Wish, unit: Unit) -> MaestroError:
    keys = [key, "log-opts"] if key == "log-driver" else [key]
    nulls = ", ".join(f"{name}: null" for name in keys)
    return MaestroError(
        f"{key} is given to the Engine here and in {wish.file}: it would not start",
        where=unit.origin(key),
        fix=f"remove the flag there, or leave it to the flag: "
        f"docker_engine_daemon_options: {{{nulls}}}",
    )


def _swarm(wish: Wish, unit: Unit, info: Mapping[str, Any]) -> list[MaestroError]:
    state = str((info.get("Swarm") or {}).get("LocalNodeState") or "")
    joined = state not in ("", "inactive")
    if not info:
        joined = (Path(unit.setting(wish.file, "data-root", DATA)) / "swarm/worker").exists()
    if not joined or not unit.true(wish.text, "live-restore"):
        return []
    return [
        MaestroError(
            "this host is in a Swarm, and an Engine with live-restore does not start there",
            where=str(wish.file),
            fix="set docker_engine_live_restore: false for this host, "
            "or let it leave the Swarm (docker swarm leave)",
        )
    ]


def _other_data(wish: Wish, unit: Unit, engine: Engine) -> list[MaestroError]:
    """Keys with which the Engine would look for its containers and images elsewhere."""
    moved = _moved(wish, unit, info_or_none(engine))
    if wish.accept_data:
        return _without_an_engine(wish, moved, running_or_none(engine)) if moved else []
    if not moved or not _holds_anything(engine, unit, wish.file):
        return []
    return [
        MaestroError(
            f"{key} is {before} and would become {after}: the Engine would find none of its "
            "containers, images and volumes",
            where=str(wish.file),
            fix=f"keep it ({_kept(key, before)}), or move the data "
            "first and set docker_engine_accept_other_data: true",
        )
        for key, before, after in moved
    ]


def _kept(key: str, value: str) -> str:
    """The variable that leaves a key as it is."""
    if key == REMAP and value in (NO_REMAP, "default"):
        return f"docker_engine_userns_remap: {'false' if value == NO_REMAP else 'true'}"
    return f"docker_engine_daemon_options: {{{key}: {value}}}"


def _without_an_engine(
    wish: Wish, moved: Sequence[tuple[str, str, str]], ran: Sequence[Running]
) -> list[MaestroError]:
    """Containers that would run on, with their ports and data, and no Engine would know of them."""
    if not ran:
        return []
    changes = ", ".join(f"{key} becomes {after}" for key, _, after in moved)
    return [
        MaestroError(
            f"{changes}, and these containers run: {', '.join(sorted(item.name for item in ran))}. "
            "The Engine would no longer know them, and they would keep their ports and data",
            where=str(wish.file),
            fix="stop them first: docker stop $(docker ps -q)",
        )
    ]


def _no_namespaces(wish: Wish, unit: Unit) -> list[MaestroError]:
    """A kernel that lets nobody have a user namespace, where the Engine shall."""
    if unit.of(wish.text, REMAP) in ("", NO_REMAP) or _text(NAMESPACES).strip() not in ("0", ""):
        return []
    return [
        MaestroError(
            f"{REMAP} needs user namespaces, and this kernel allows none",
            where=str(NAMESPACES),
            fix="set sysctl user.max_user_namespaces=15000, or docker_engine_userns_remap: false",
        )
    ]


def _moved(wish: Wish, unit: Unit, info: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    text = _text(wish.file)
    moved = []
    root = [unit.of(source, "data-root") or DATA for source in (text, wish.text)]
    if os.path.realpath(root[0]) != os.path.realpath(root[1]):
        moved.append(("data-root", root[0], root[1]))
    # Without a driver in the file the Engine goes on with the one its data was written by.
    drivers = [unit.of(source, "storage-driver") for source in (text, wish.text)]
    before = str(info.get("Driver") or drivers[0])
    if drivers[1] and before and drivers[1] != before:
        moved.append(("storage-driver", before, drivers[1]))
    users = [unit.of(source, REMAP) or NO_REMAP for source in (text, wish.text)]
    if users[0] != users[1]:
        moved.append((REMAP, users[0], users[1]))
    stores = [unit.feature(source, "containerd-snapshotter") for source in (text, wish.text)]
    if stores[0] != stores[1]:
        moved.append(("features.containerd-snapshotter", stores[0], stores[1]))
    return moved


def _holds_anything(engine: Engine, unit: Unit, file: Path) -> bool:
    info = info_or_none(engine)
    if info:
        return bool(info.get("Containers") or info.get("Images") or engine.volumes())
    data = Path(unit.setting(file, "data-root", DATA))
    return any(data.glob("containers/*")) or any(data.glob("volumes/*/_data"))


def _lost_by_a_restart(wish: Wish, unit: Unit, engine: Engine) -> list[MaestroError]:
    """Containers that the Engine removes when it stops them: nothing can start them again."""
    if unit.true(wish.text, "live-restore") or not info_or_none(engine):
        return []
    lost = [
        item.name
        for item in running(engine)
        if engine.inspect(item.id)["HostConfig"].get("AutoRemove")
    ]
    if not lost:
        return []
    return [
        MaestroError(
            "without live-restore a restart of the Engine stops its containers, and these were "
            f"started with --rm, so they would be gone: {', '.join(lost)}",
            where=str(wish.file),
            fix="stop them first, or set docker_engine_live_restore: true",
        )
    ]


# The change


def apply(wish: Wish, unit: Unit, engine: Engine) -> Done:
    """Have the Engine run with the file, and with it all that ran before.

    Where the Engine or a container does not come up, the old file is put back, both run again
    as before, and `MaestroError` says why. An Engine that runs with this very file is left alone.
    """
    before = _text(wish.file)
    same = before == wish.text
    if same and info_or_none(engine):
        changed = wish.file.stat().st_mode & 0o777 != 0o644
        wish.file.chmod(0o644)
        return Done(changed=changed, before=before)
    raise_all(problems(wish, unit, engine))
    ran = running_or_none(engine)
    kept = unit.true(before, "live-restore") and unit.true(wish.text, "live-restore")
    there = wish.file.exists()
    if not same:
        write_atomically(wish.file, wish.text, 0o644)
    try:
        restart(engine, wish.timeout)
        started = keep_running(engine, ran, kept=kept)
    except MaestroError as problem:
        if same:
            raise
        _back(wish, before if there else None)
        raise _gone_back(wish, engine, problem, ran) from problem
    return Done(changed=True, before=before, started=started)


def _back(wish: Wish, text: str | None) -> None:
    if text is None:
        wish.file.unlink(missing_ok=True)
    else:
        write_atomically(wish.file, text, 0o644)


def _gone_back(
    wish: Wish, engine: Engine, problem: MaestroError, ran: Sequence[Running]
) -> MaestroError:
    """The error to raise after the old file was put back, when that was tried."""
    try:
        restart(engine, wish.timeout)
        keep_running(engine, ran, kept=False)
    except MaestroError as second:
        return MaestroError(
            f"{problem.what}\nThe old file was restored, but the next step fails too: "
            f"{second.what}",
            where=str(wish.file),
            fix=f"look at journalctl -u {SERVICE}",
        )
    return MaestroError(
        f"{problem.what}\nThe old file was restored, and the Engine runs with it and all that ran",
        where=str(wish.file),
        fix=f"correct docker_engine_daemon_options, or see journalctl -u {SERVICE}",
    )


def restart(engine: Engine, timeout: float) -> None:
    """Start the Engine anew and wait until it answers; `MaestroError` with its own reason."""
    # Several changes within a minute are restarts that were asked for, not a crashing service.
    for words in (["daemon-reload"], ["reset-failed", SERVICE]):
        _run(["systemctl", *words], timeout=timeout)
    since = time.time()
    done = _run(["systemctl", "restart", SERVICE], timeout=timeout)
    if done.returncode == 0:
        try:
            engine.wait_ready(timeout)
        except MaestroError:
            pass
        else:
            return
    raise MaestroError(f"the Engine does not start: {_reason(since)}", where=SERVICE)


# The host


def look() -> Unit:
    """The Engine's service as systemd would start it the next time."""
    return daemon_unit.parse(daemon_unit.on_disk(SERVICE), _text_of)


def _reason(since: float) -> str:
    """The last words of the Engine about why it does not start, without values."""
    command = ["journalctl", "-u", SERVICE, "-o", "cat", "--no-pager", f"--since=@{int(since)}"]
    lines = _run(command, timeout=30).stdout.splitlines()
    said = [line for line in lines if _SAYS_WHY.search(line)] or lines[-1:]
    return _without_values(said[-1].strip()) if said else "it said nothing"


def _without_values(text: str) -> str:
    return re.sub(r" \(from flag: .*?, from file: .*?\)(?=,|$)", "", text)


def _text_of(path: str) -> str:
    return _text(Path(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _run(command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 -- an argument list, no shell
            command, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))

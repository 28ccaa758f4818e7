"""Docker Compose as a program: it reads the stack's file, so that we never have to.

Only JSON and exit codes are read from it, never progress text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import carried

# Where Docker's command looks for its plugins, in its order.
# https://pkg.go.dev/github.com/docker/cli/cli-plugins/manager
PLUGINS = (
    Path("~/.docker/cli-plugins"),
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
)


class TimedOut(MaestroError):
    """A command did not end within its time and was stopped."""


def program() -> list[str]:
    """What runs Compose: the plugin itself, which Docker's command would start twice."""
    for directory in PLUGINS:
        plugin = directory.expanduser() / "docker-compose"
        if os.access(plugin, os.X_OK):
            return [str(plugin)]
    return ["docker", "compose"]


def arguments(project: str, file: Path, *rest: str) -> list[str]:
    """The command line for one project file."""
    return [*program(), "--project-name", project, "--file", str(file), *rest]


def surroundings() -> dict[str, str]:
    """The environment of every command that reads a release: nothing of the host's own.

    Compose takes a value that a file leaves open from its environment (``environment: [USER]``),
    and some variables steer it (``COMPOSE_FILE``, ``DOCKER_HOST``). ``HOME`` stays: the Engine's
    command keeps its settings there, such as the proxies that containers are given.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LC_ALL": "C", "COMPOSE_ANSI": "never"}


# All that a command which reads a release has in its environment; Compose itself adds PWD.
SURROUNDINGS = ("PATH", "HOME", "LC_ALL", "COMPOSE_ANSI", "PWD")


def run(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Compose quietly; a missing program is a clear error.

    ``env`` is its whole environment; where nothing is said, `surroundings` and the secrets that
    the release's file has in environments.
    """
    try:
        return subprocess.run(  # noqa: S603 -- an argument list, no shell
            list(argv),
            env={**surroundings(), **carried.values(argv)} if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"`docker compose` did not end within {timeout:.0f} s", where=" ".join(argv[-2:])
        ) from error
    except FileNotFoundError as error:
        raise MaestroError(
            "the docker command is not installed",
            where="this host",
            fix="run maestro.stacks.provision for this host",
        ) from error


# Compose says so of a key that is misspelt, and of one that only a newer release knows.
_UNKNOWN = ("dditional propert", "unsupported ")

# A line of progress: ` Container shop-web-1  Recreate`.
_PROGRESS = re.compile(r"^\s*(Container|Network|Volume|Image) \S+\s+[A-Z][a-z]+\s*\Z")


def without_progress(said: str) -> list[str]:
    """The lines of what Compose, or a command that it ran, says."""
    return [line for line in said.strip().splitlines() if not _PROGRESS.match(line)]


def complaint(stderr: str, lines: int = 6) -> str:
    """What Compose says is wrong, without its lines of progress where anything else is left."""
    return "\n".join((without_progress(stderr) or stderr.strip().splitlines())[-lines:])


def version() -> str:
    """Compose's version, such as ``2.26.1``, or an empty string without the plugin."""
    result = run([*program(), "version", "--short"])
    return result.stdout.strip().lstrip("v").split("-")[0] if result.returncode == 0 else ""


def canonical(
    directory: Path,
    files: Sequence[str],
    project: str,
    variables: Mapping[str, str],
    env_files: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole stack as Compose itself understands it, every profile included.

    ``directory`` holds the files. ``variables`` are all that it is read with, beside ``env_files``
    or else a ``.env`` there: nothing of this host shows in it. Raises `MaestroError` with
    Compose's own words.
    """
    first, *rest = program()
    # By its path: it gets no PATH, which a file could read.
    argv = [shutil.which(first) or first, *rest]
    argv += ["--project-name", project, "--project-directory", str(directory)]
    for name in env_files:
        argv += ["--env-file", str(directory / name)]
    for name in files:
        argv += ["--file", str(directory / name)]
    argv += ["--profile", "*", "config", "--format", "json"]
    result = run(argv, env=variables)
    if result.returncode != 0:
        reason = result.stderr.strip().replace(f"{directory}/", "")
        fix = "`docker compose config` on the file shows the same; correct what it names"
        if "\n\ngoroutine " in reason:
            # It crashed: what follows is where in its own source.
            reason = reason.partition("\n\ngoroutine ")[0]
            fix = (
                f"Compose {version()} itself crashed: a value is of another kind than it expects, "
                "such as a number or a date where it wants text: put it into quotes"
            )
        elif any(word in reason for word in _UNKNOWN):
            fix = f"this host has Compose {version()}: correct the key, or install a newer one"
        raise MaestroError(
            f"Compose cannot read the stack: {reason}",
            where=", ".join(f"{project}/{name}" for name in files),
            fix=fix,
        )
    model: dict[str, Any] = json.loads(result.stdout)
    return model

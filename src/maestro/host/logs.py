"""Read what a stack's containers wrote, with every secret masked before it leaves the host."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import MaestroError
from . import compose, mask
from .engine import Engine
from .labels import PROJECT, SERVICE
from .layout import Layout


def read(
    layout: Layout, services: Sequence[str], since: str, tail: str, *, timestamps: bool = False
) -> str:
    """The log lines of the stack's containers, or of some services, as Compose shows them.

    ``since`` is a time or an age such as ``10m``, empty for all; ``tail`` the number of last
    lines per container, or ``all``; ``timestamps`` begin each line. Raises
    `MaestroError` on what is not there or malformed.
    """
    where = f"stack {layout.stack}"
    labels = [item["Labels"] for item in Engine().containers(f"{PROJECT}={layout.stack}")]
    known = sorted({label[SERVICE] for label in labels if SERVICE in label})
    if not known:
        raise MaestroError(
            "the stack has no container on this host",
            where=where,
            fix="deploy it here, or name another stack with -e stack=NAME",
        )
    if unknown := sorted(set(services) - set(known)):
        raise MaestroError(
            f"no container of {', '.join(unknown)} is on this host",
            where=where,
            fix=f"choose from {', '.join(known)}: -e service=NAME",
        )
    if tail != "all" and not tail.isdecimal():
        raise MaestroError(
            f"{tail!r} is not a number of lines", where="tail", fix="-e tail=100, or -e tail=all"
        )
    argv = [*compose.program(), "--project-name", layout.stack, "logs", "--no-color"]
    argv += [f"--tail={tail}", *[f"--since={since}"] * bool(since)]
    argv += ["--timestamps"] * timestamps
    result = compose.run([*argv, *services], timeout=60)
    # Compose writes "erase this line" before each, also where there is no terminal.
    text = (result.stdout + result.stderr).replace("\x1b[2K", "")
    text = mask.redactor(layout).text(text)
    if result.returncode != 0:
        raise MaestroError(
            f"the logs cannot be read: {text.strip()}",
            where=where,
            fix="`since` is an age such as 10m or a time such as 2026-01-31T12:00:00Z",
        )
    return text.rstrip("\n")

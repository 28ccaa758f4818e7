"""Run one command in a container of a service, with every secret masked in what it writes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import MaestroError
from . import identity, journal, mask
from .containers import of_service
from .engine import Engine
from .layout import Layout

LARGEST = 1 << 20  # characters of what it wrote that are kept, from the end


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it wrote to both of its outputs."""

    code: int
    text: str


def run(layout: Layout, service: str, argv: Sequence[str], timeout: float, by: str) -> Ended:
    """Run a command in a running container of the service; at most ``timeout`` seconds.

    ``by`` is who wants it, for the history. Raises `MaestroError` where there is no such container,
    it takes too long, or the host asks for an approval: nobody has approved this command.
    """
    known = identity.read()
    if known and known.approval:
        raise MaestroError(
            "this host asks for an approval, and a command in a container has no plan",
            where=f"stack {layout.stack}",
            fix="put what it does into a migration or a job of the stack",
        )
    engine = Engine()
    running = [item for item in of_service(engine, layout.stack, service) if _runs(item)]
    if not running:
        raise MaestroError(
            f"no container of the service {service!r} is running on this host",
            where=f"stack {layout.stack}",
            fix="playbooks/status.yml shows what runs where",
        )
    said = mask.redactor(layout)
    claim = {"purpose": f"command in {service}", "by": by}
    try:
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            ["docker", "exec", str(running[0]["Id"]), *argv],  # noqa: S607 -- the host's own
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"the command did not end within {timeout:.0f} s; it may go on in the container"
        journal.note(layout, claim, journal.FAILED, said.text(f"{shlex.join(argv)}: {problem}"))
        raise MaestroError(problem, where=f"service {service}", fix="-e seconds=600") from None
    result = journal.FAILED if done.returncode else journal.DONE
    journal.note(layout, claim, result, said.text(shlex.join(argv)))
    text = said.text(done.stdout.decode("utf-8", "replace"))
    return Ended(done.returncode, text[-LARGEST:])


def _runs(item: object) -> bool:
    return isinstance(item, dict) and item.get("State") == "running"

"""How an account that may only look asks a host: see `maestro.host.look`.

Ansible's way to become root is a shell, and no rule of sudo can keep a shell to one program. So
nobody becomes root: the account runs the host's program, by the one command line it may run.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import MaestroError
from ..host.agent import OTHER_PROGRAM
from ..host.layout import AGENT
from . import agent_archive

# Runs a command on the host as the account that logs in, with this standard input.
Shell = Callable[[str, bytes], Mapping[str, Any]]


def command(root: str) -> list[str]:
    """The command line, as roles/host_agent allows it: without any word of the caller's."""
    return ["sudo", "-n", "/usr/bin/python3", "-I", str(AGENT), "--root", root, "look"]


def answer(shell: Shell, step: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What the step answers. Raises `MaestroError` where the account or its question is refused."""
    given = dict(args)
    root = str(given.pop("root"))
    question = {"step": step, "program": agent_archive.identity(), "params": given}
    said = shell(shlex.join(command(root)), json.dumps(question).encode())
    # A shell may greet before it does what it is told.
    answers = [line for line in said["stdout"].splitlines() if line.startswith("{")]
    if said["rc"] == 0 and answers:
        found: dict[str, Any] = json.loads(answers[-1])
        return found
    if said["rc"] == OTHER_PROGRAM:
        raise MaestroError(
            "the host's program is not of the version of this checkout",
            where=str(AGENT),
            fix="use the version it was provisioned with, or have maestro.stacks.provision run",
        )
    raise MaestroError(
        f"this account may not look: {(said['stderr'] or said['stdout']).strip()[-300:]}",
        where=shlex.join(command(root)),
        fix="add the account to host_agent_lookers and have maestro.stacks.provision run",
    )

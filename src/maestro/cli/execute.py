"""``maestro exec``: one command in a container of a service, on the hosts that are named."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from ..errors import MaestroError
from .maestro_secrets import find_root


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Add the subcommand to the parser of ``maestro``."""
    parser = commands.add_parser("exec", help="run a command in a container of a service")
    parser.add_argument("-l", "--limit", help="the hosts")
    parser.add_argument("-e", "--extra-vars", action="append", default=[], help="as for a playbook")
    parser.add_argument("-i", "--inventory", action="append", default=[], help="as for a playbook")
    parser.add_argument("service")
    parser.add_argument("command", nargs="+", help="the command, after --")
    parser.set_defaults(run=_run)


def arguments(given: argparse.Namespace) -> list[str]:
    """The words of the playbook that does it."""
    if not given.limit:
        raise MaestroError("no hosts were named", where="-l", fix="maestro exec -l staging-1 ...")
    said = {"service": given.service, "command": shlex.join(given.command)}
    return [
        *(str(Path(sys.executable).with_name("ansible-playbook")), "maestro.stacks.exec"),
        *(word for each in given.inventory for word in ("-i", each)),
        *("-l", given.limit),
        *(word for each in given.extra_vars for word in ("-e", each)),
        *("-e", json.dumps(said)),
    ]


def _run(given: argparse.Namespace) -> int:
    argv = arguments(given)
    root = find_root(Path.cwd())
    return subprocess.run(argv, cwd=root, check=False).returncode  # noqa: S603 -- no shell

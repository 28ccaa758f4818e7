"""``maestro doctor``: whether everything is as a deploy needs it, and what to do."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import MaestroError
from ..report.doctor import PROBLEM, Check, failed, plain, table
from .maestro_secrets import find_root


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of ``maestro``."""
    parser = commands.add_parser("doctor", help="say what is not as a deploy needs it")
    parser.add_argument("-l", "--limit", help="the hosts; without it, the controller alone")
    parser.add_argument("-e", "--extra-vars", action="append", default=[], help="as for a playbook")
    parser.add_argument("-i", "--inventory", action="append", default=[], help="as for a playbook")
    parser.add_argument("-K", "--ask-become-pass", action="store_true", help="as for a playbook")
    parser.add_argument("--json", action="store_true", help="the lines as JSON")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    root = find_root(Path.cwd())
    os.chdir(root)  # Ansible reads its settings where it is
    checks = _of_controller(root)
    if given.limit and not failed(check for check in checks if check.area == "controller"):
        checks = _asked(given, root, checks)
    if given.json:
        text = json.dumps({"ok": not failed(checks), "checks": plain(checks)}, indent=2)
    else:
        text = table(checks, _width())
    print(text)  # noqa: T201 -- what a command says
    return 1 if failed(checks) else 0


def _of_controller(root: Path) -> list[Check]:
    from ..play import doctor  # noqa: PLC0415 -- after chdir: Ansible reads its settings once

    return doctor.of_controller(root)


def _width() -> int:
    from ..play import screen  # noqa: PLC0415

    return screen.width()


def _asked(given: argparse.Namespace, root: Path, checks: list[Check]) -> list[Check]:
    """What the play says, which looks at the controller again: under its own display."""
    with tempfile.TemporaryDirectory(prefix="maestro-doctor-") as home:
        out = Path(home) / "checks.json"
        argv = [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "maestro.stacks.doctor"),
            *(word for each in given.inventory for word in ("-i", each)),
            *("-l", given.limit),
            *(["-K"] if given.ask_become_pass else []),
            *(word for each in given.extra_vars for word in ("-e", each)),
            *("-e", f"doctor_file={shlex.quote(str(out))}"),
        ]
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            argv,
            cwd=root,
            stdin=None if given.ask_become_pass else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if out.exists():
            return [Check(**item) for item in json.loads(out.read_text(encoding="utf-8"))]
    said = [line for line in done.stdout.splitlines() if line.strip()]
    if not said:
        raise MaestroError("ansible-playbook said nothing", where="maestro.stacks.doctor")
    what = next((line for line in reversed(said) if "ERROR" in line), said[-1])
    fix = "see inventories/: ansible-inventory --graph"
    return [*checks, Check("inventory", "hosts", PROBLEM, what.strip(), fix)]

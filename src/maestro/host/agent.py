"""The program on every host: it takes a play's steps, follows containers, and guards leases.

agent.pyz take NAME PROGRAM     run a step of a play (see `steps`): JSON in, JSON out
agent.pyz steps PROGRAM         run several, up to the first that fails (see `sequence`)
agent.pyz step NAME PROGRAM     how versions before approvals ask for one (see `older`)
agent.pyz look                  answer who may only look (see `look`): JSON in, JSON out
agent.pyz watch                 routes follow containers (maestro-agent.service)
agent.pyz switch                roll back unfinished deploys (maestro-switch.timer)
agent.pyz beat STACK TOKEN      say that the deploy with this lease lives
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import MaestroError
from . import lease
from .layout import Layout

ROOT = Path("/opt/maestro")
OTHER_PROGRAM = 64  # exit code: this is not the program whose step was asked for


def main(argv: Sequence[str] | None = None, program: str = "") -> int:
    """Exit code 0; 1 when the lease is no longer the caller's, or a release could not go back.

    ``program`` is the identity of this build, see `maestro.play.agent_archive.identity`.
    """
    parser = argparse.ArgumentParser(prog="agent.pyz", description="Maestro on this host.")
    parser.add_argument("--root", type=Path, default=ROOT, help="directory of the stacks")
    commands = parser.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("watch", help="let routes follow containers")
    watching.add_argument("--watchdog", default="stacks", help="off, stacks or all")
    commands.add_parser("switch", help="roll back unfinished deploys")
    for name, whose in (("take", ""), ("step", ", for an older version")):
        step = commands.add_parser(name, help=f"run a step of a play{whose}")
        step.add_argument("name")
        step.add_argument("program")
    several = commands.add_parser("steps", help="run several steps of a play")
    several.add_argument("program")
    commands.add_parser("look", help="answer an account that may only look")
    beat = commands.add_parser("beat", help="renew the lease of a deploy")
    beat.add_argument("stack")
    beat.add_argument("token")
    given = parser.parse_args(argv)
    if given.command in ("take", "steps", "step"):
        return _step(given, program)
    if given.command == "look":
        return _look(given.root, program)
    # What a command does not need is not loaded: the timer calls every few seconds.
    if given.command == "watch":
        from . import watch  # noqa: PLC0415

        unpack(Path(sys.argv[0]), program)
        watch.main(given.root, given.watchdog)
        return 0
    if given.command == "switch":
        from . import switch  # noqa: PLC0415

        return switch.main(given.root)
    try:
        lease.beat(Layout(given.root, given.stack), given.token)
    except MaestroError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 -- what a program says
        return 1
    return 0


def _step(given: argparse.Namespace, program: str) -> int:
    if given.command != "step":
        return _asked(getattr(given, "name", "")) if given.program == program else OTHER_PROGRAM
    from . import older  # noqa: PLC0415

    refusal = older.refusal()
    if refusal is None:
        return OTHER_PROGRAM
    json.dump(refusal, sys.stdout)
    return 0


def _asked(name: str) -> int:
    """Take the step of this name, or without one all that are given."""
    from . import sequence, steps  # noqa: PLC0415 -- the timer needs none of it

    given = json.load(sys.stdin)
    answer = steps.take(name, given) if name else {"answers": sequence.take(given)}
    json.dump(answer, sys.stdout)
    return 0


def _look(root: Path, program: str) -> int:
    from . import look  # noqa: PLC0415

    try:
        question = look.Question.read(sys.stdin.read(look.LONGEST))
    except MaestroError as problem:
        json.dump({"failed": True, "msg": str(problem)}, sys.stdout)
        return 0
    if question.program != program:
        return OTHER_PROGRAM
    json.dump(look.answer(question, root), sys.stdout)
    return 0


def unpack(archive: Path, identity: str) -> None:
    """Put the program's modules beside it, compiled: its steps then begin in half the time.

    What the build before has there stays: a step of it may be under way.
    """
    import compileall  # noqa: PLC0415 -- once in the life of a build
    import shutil  # noqa: PLC0415
    import zipfile  # noqa: PLC0415

    home = archive.with_name(identity)
    others = {*archive.parent.glob("[0-9a-f]" * len(identity))} - {home}
    for other in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
        shutil.rmtree(other)
    if home.is_dir():
        return
    new = archive.with_name(f".{identity}")
    try:
        with zipfile.ZipFile(archive) as modules:
            modules.extractall(new)
        compileall.compile_dir(new, quiet=2)
        new.rename(home)
    except OSError as problem:
        # It works without; the next start tries again.
        print(f"{home}: {problem}", file=sys.stderr)  # noqa: T201 -- for the journal
        shutil.rmtree(new, ignore_errors=True)

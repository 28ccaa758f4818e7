"""The command ``maestro``: plan a change, and approve a plan.

``maestro plan`` runs the playbook that plans and changes nothing, and writes the plan as text, JSON
or Markdown; its exit code is 0 (nothing to do), 2 (changes) or 1 (an error). ``maestro approve``
shows a plan and signs what it showed with an SSH key.
"""

from __future__ import annotations

import argparse
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.identity import HOURS, NAMESPACE
from ..host.signature import TIME, Statement
from ..plan.document import Document
from ..play import plan_files
from . import completion, doctor, execute, job_token
from .maestro_secrets import find_root

if TYPE_CHECKING:
    from ..records import PlanPart

NOTHING, ERROR, CHANGES = 0, 1, 2  # exit codes of a plan
# The playbook of each operation, and what makes it plan without changing anything.
PLAYBOOKS: Mapping[str, tuple[str, ...]] = {
    "deploy": ("maestro.stacks.plan",),
    "rollback": ("maestro.stacks.rollback", "--check"),
    "rotation": ("maestro.stacks.rotate_secrets", "--check"),
    "removal": ("maestro.stacks.remove", "--check"),
    "maintenance": ("maestro.stacks.maintenance", "--check"),
    "provisioning": ("maestro.stacks.provision", "--check", "--tags", "host_identity"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; what is wrong is said in one message."""
    given = _parser().parse_args(argv)
    try:
        code: int = given.run(given)
    except MaestroError as problem:
        print(f"maestro: {problem}", file=sys.stderr)  # noqa: T201 -- what a command says
        return ERROR
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maestro", description="Deploys Compose stacks to your servers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    asked = argparse.ArgumentParser(add_help=False)
    asked.add_argument("-l", "--limit", help="the hosts")
    asked.add_argument("-e", "--extra-vars", action="append", default=[], help="as for a playbook")
    asked.add_argument("-i", "--inventory", action="append", default=[], help="as for a playbook")
    asked.add_argument(
        "--operation", choices=PLAYBOOKS, default="deploy", help="what is planned (deploy)"
    )
    plan = commands.add_parser("plan", parents=[asked], help="plan a change; nothing is changed")
    plan.add_argument("--format", choices=FORMATS, default="text")
    plan.add_argument("--out", type=Path, help="write the plan there too, as JSON: for approve")
    plan.set_defaults(run=_plan)
    approve = commands.add_parser("approve", parents=[asked], help="show a plan and sign it")
    approve.add_argument("plan", nargs="?", type=Path, help="a plan's file; without, it is made")
    approve.add_argument("--as", dest="name", default="", help="your name among the signers")
    approve.add_argument(
        "--oidc", action="store_true", help="with a token of this CI job, in place of a key"
    )
    approve.add_argument("--token", type=Path, help="the same, with the token in this file")
    approve.add_argument("--key", type=Path, default=Path("~/.ssh/id_ed25519"), help="SSH key")
    approve.add_argument("--purpose", default="", help="why, for the record")
    approve.add_argument("--hours", type=float, default=HOURS, help="how long it holds (24)")
    approve.add_argument("--out", type=Path, help="where the approval is written")
    approve.add_argument("--yes", action="store_true", help="do not ask: you read the plan before")
    approve.add_argument(
        "--exceptions", action="store_true", help="do not ask: you read its exceptions before"
    )
    approve.set_defaults(run=_approve)
    # Programs of their own, see `main`: here for the help alone.
    for name, text in (
        ("init", "write the files that a repository needs beside its Compose file"),
        ("secrets", "make, list and set the secrets of a stack"),
        ("redact", "copy standard input with every secret masked"),
    ):
        commands.add_parser(name, help=text, add_help=False)
    doctor.add(commands)
    execute.add(commands)
    completion.add(commands)
    return parser


def _plan(given: argparse.Namespace) -> int:
    document, said = _made(given)
    if given.out:
        _write(given.out, plan_files.text(document, changes=said["changes"], lost=_lost(said)))
    _say(FORMATS[given.format](document, said))
    if _lost(said):
        return ERROR
    return CHANGES if said["changes"] else NOTHING


def _approve(given: argparse.Namespace) -> int:
    document, said = plan_files.read_plan(given.plan) if given.plan else _made(given)
    _say(_as_text(document, said))
    if not said.get("changes", True):
        raise MaestroError("this plan changes nothing", fix="there is nothing to approve")
    if not given.yes and input("\nDo you approve this plan? Type yes: ").strip() != "yes":
        raise MaestroError("not approved", fix="nothing was signed")
    _exceptions(document, given)
    approval, who = _proven(document, given)
    out = given.out or Path(f"approval-{document.hash[:12]}.json")
    _write(out, approval.text)
    _say(f"\n{who}: {out}")
    _say(f"It is used with -e approval={out}")
    return 0


def _proven(document: Document, given: argparse.Namespace) -> tuple[plan_files.Approval, str]:
    """The approval by a key or by a token; and who approves until when, in words."""
    if given.oidc or given.token:
        token = job_token.of_plan(document.hash, given.token)
        until = time.strftime(TIME, time.gmtime(token.time("exp")))
        who = f"{token.shown}: approves plan {document.hash[:12]} until {until}"
        return plan_files.Approval("", "", document, token.text), who
    if not given.name:
        raise MaestroError("nobody approves", where="--as", fix="--as NAME, or --oidc in a CI job")
    statement = _statement(document, given)
    signed = _signature(statement.text, given.key)
    who = f"{given.name} approves plan {document.hash[:12]} until {statement.expires}"
    return plan_files.Approval(statement.text, signed, document), who


def _exceptions(document: Document, given: argparse.Namespace) -> None:
    """Ask for the exceptions of a plan by themselves; `MaestroError` where they are not allowed."""
    made = sorted({text for part in document.parts.values() for text in _made_in(part)})
    if not made or given.exceptions:
        return
    _say("\nThis plan lets the stack do what it may not:\n" + "\n".join(f"  {it}" for it in made))
    if given.yes or input("Do you allow each of these? Type allow: ").strip() != "allow":
        raise MaestroError(
            "its exceptions are not approved", fix="read them, then add --exceptions"
        )


def _made_in(part: PlanPart) -> list[str]:
    made = (part.get("plan") or {}).get("exceptions")
    return [str(text) for text in made] if isinstance(made, list) else []


def _statement(document: Document, given: argparse.Namespace) -> Statement:
    now = time.time()
    if not 0 < given.hours <= 24 * 365:
        raise MaestroError(f"found {given.hours:g}", where="--hours", fix="such as 24")
    return Statement(
        plan=document.hash,
        operation=document.operation,
        stack=document.stack,
        environment=document.environment,
        hosts=tuple(sorted(document.parts)),
        purpose=given.purpose,
        approver=given.name,
        at=time.strftime(TIME, time.gmtime(now)),
        expires=time.strftime(TIME, time.gmtime(now + given.hours * 3600)),
        id=secrets.token_hex(16),
    )


def _signature(text: str, key: Path) -> str:
    """What ssh-keygen signs with a key; it asks for a passphrase or a touch by itself.

    https://man.openbsd.org/ssh-keygen.1: ``-Y sign``
    """
    argv = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key.expanduser())]
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        argv, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MaestroError(
            f"it cannot be signed: {done.stderr.strip()}",
            where=str(key),
            fix="name your SSH key: --key FILE (the .pub file of a key that ssh-agent holds)",
        )
    return done.stdout


def _made(given: argparse.Namespace) -> tuple[Document, Mapping[str, Any]]:
    """Make a plan with Ansible."""
    if not given.limit:
        raise MaestroError("no hosts were named", where="-l", fix="maestro plan -l production")
    root = find_root(Path.cwd())
    with tempfile.TemporaryDirectory(prefix="maestro-plan-") as home:
        out = Path(home) / "plan.json"
        argv = [
            *(str(Path(sys.executable).with_name("ansible-playbook")), *PLAYBOOKS[given.operation]),
            *(word for each in given.inventory for word in ("-i", each)),
            *("-l", given.limit),
            *(word for each in given.extra_vars for word in ("-e", each)),
            *("-e", f"plan_file={shlex.quote(str(out))}"),
        ]
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            argv,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not out.exists():
            raise MaestroError(f"there is no plan:\n{done.stdout.strip()}")
        return plan_files.read_plan(out)


def _lost(said: Mapping[str, Any]) -> list[str]:
    return list(map(str, said.get("unreachable") or []))


def _as_text(document: Document, said: Mapping[str, Any]) -> str:
    lost = [f"{host} cannot be reached: it is skipped and stays as it is" for host in _lost(said)]
    return "\n".join([document.text, *lost, f"plan {document.hash[:12]}"])


def _as_json(document: Document, said: Mapping[str, Any]) -> str:
    return plan_files.text(document, changes=said["changes"], lost=_lost(said)).rstrip()


def _as_markdown(document: Document, said: Mapping[str, Any]) -> str:
    what = f"{document.operation} of {document.stack}" if document.stack else document.operation
    state = "changes" if said["changes"] else "nothing to do"
    return "\n".join(
        [
            f"### Plan `{document.hash[:12]}`: {what} ({document.environment}), {state}",
            "",
            "```text",
            _as_text(document, said).replace("```", "'''"),
            "```",
            "",
            f"Whole hash: `{document.hash}`",
        ]
    )


FORMATS = {"text": _as_text, "json": _as_json, "markdown": _as_markdown}


def _write(path: Path, text: str) -> None:
    try:
        path.expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise MaestroError(f"cannot be written: {error.strerror}", where=str(path)) from None


def _say(text: str) -> None:
    print(text)  # noqa: T201 -- what a command says


if __name__ == "__main__":
    sys.exit(main())

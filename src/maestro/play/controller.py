"""What the action plugins share: arguments, secrets and the way modules get them."""

from __future__ import annotations

import json
import secrets as random
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ansible import constants
from ansible.utils.vars import load_extra_vars

from ..errors import MaestroError, raise_all
from ..plan.run import Run
from ..plan.wanted import LOGIN
from ..secrets.source import Secrets, SecretSource, VaultLoader
from ..secrets.sources import open_source
from . import operator
from .approval import check_claim, from_outside
from .output import register_secrets
from .values import boolean

if TYPE_CHECKING:
    from ..records import DeployRequest

REGISTRY_PASSWORD = LOGIN

Record = TypeVar("Record")


def project() -> Path:
    """The project: where ansible.cfg stands."""
    return Path(constants.CONFIG_FILE or "ansible.cfg").resolve().parent


def said(loader: VaultLoader) -> Mapping[str, Any]:
    """The variables of the command line, which Ansible keeps with its loader of files."""
    found: Mapping[str, Any] = load_extra_vars(loader)
    return found


def read_secrets(request: DeployRequest, loader: VaultLoader, *, registry: bool = False) -> Secrets:
    """The stack's secrets, and the registry's password when ``registry`` asks for it."""
    lacking = request.get("lacking") or ()
    names = [name for name in wanted_secrets(request, registry=registry) if name not in lacking]
    values = open_secrets(request, loader).read(names)
    register_secrets(values)
    return values


def wanted_secrets(request: DeployRequest, *, registry: bool = False) -> list[str]:
    """Names of the stack's secrets, and the registry's password when ``registry`` asks for it."""
    also = [REGISTRY_PASSWORD] if registry and request["registry_username"] else []
    return [*request["secret_names"], *also]


def open_secrets(request: DeployRequest, loader: VaultLoader) -> SecretSource:
    """Where the secrets of a request's stack come from."""
    return open_source(
        request["secrets_settings"],
        environment=str(request["environment"]),
        stack=str(request["stack"]),
        root=project(),
        loader=loader,
    )


def payload(values: Secrets, names: list[str], request: DeployRequest) -> str:
    """What a module may know of the secrets, as one opaque text.

    It is one `no_log` parameter: Ansible masks the whole of it, and not every place
    where a short value happens to stand in a result.
    """
    leave_nothing_behind()
    login = {}
    if REGISTRY_PASSWORD in values:
        login = {
            "registry": str(request["registry"]),
            "username": str(request["registry_username"]),
            "password": values[REGISTRY_PASSWORD],
        }
    known = {name: values[name] for name in names if name in values}
    return json.dumps({"secrets": known, "login": login})


def leave_nothing_behind() -> None:
    """Refuse Ansible's setting that leaves a module's files, secrets in them, on every host."""
    if constants.DEFAULT_KEEP_REMOTE_FILES:
        raise MaestroError(
            "modules would stay on the hosts, with the secrets they are given",
            where="ANSIBLE_KEEP_REMOTE_FILES",
            fix="unset ANSIBLE_KEEP_REMOTE_FILES, or remove keep_remote_files from ansible.cfg",
        )


def this_run() -> Run:
    """Who runs this, when, and the id of a release that it may make."""
    now = time.gmtime()
    release = f"{time.strftime('%Y%m%dT%H%M%SZ', now)}-{random.token_hex(2)}"
    return Run(operator.who(), time.strftime("%Y-%m-%dT%H:%M:%SZ", now), release)


def git_commit(directory: Path) -> str:
    """The commit that is deployed, with ``-dirty`` when the files differ from it; may be empty."""

    def git(*words: str) -> str:
        result = subprocess.run(  # noqa: S603 -- an argument list, no shell
            ["git", "-C", str(directory), *words],  # noqa: S607 -- git as the user has it
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout.strip() if result.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}-dirty" if commit and git("status", "--porcelain", "--", ".") else commit
    except OSError:
        return ""


def guard(
    *,
    limit: str,
    limit_required: bool,
    environments: Mapping[str, str],
    approval: Mapping[str, Any],
) -> None:
    """Refuse a run that is aimed at nothing, at two environments, or at one that needs approval."""
    if limit_required and not limit:
        raise MaestroError(
            "no limit was given, so every host would be changed",
            fix="add a limit: ansible-playbook deploy.yml -l staging",
        )
    found = sorted(set(environments.values()))
    if len(found) != 1 or not found[0]:
        detail = ", ".join(f"{host}: {name or 'none'}" for host, name in environments.items())
        raise MaestroError(
            "the hosts are not of one environment",
            where=detail,
            fix="deploy one environment at a time (-l staging); it is set by "
            "maestro_environment in the group_vars of its group",
        )
    # Whether a signed one is valid is seen when the plan is known.
    if approval["required"] and not approval["dry"] and not approval["file"]:
        check_claim(found[0], limit or found[0], approval["by"], approval["plan"])


def guard_play(
    settings: Mapping[str, Any],
    task_vars: Mapping[str, Any],
    extra: Mapping[str, Any],
    *,
    check_mode: bool,
) -> None:
    """`guard` for the hosts of a play.

    ``settings`` has ``limit``, ``limit_required``, ``approval_required``, ``approved_by``,
    ``approved_plan`` and ``plan_only``; ``extra`` are the variables of the command line.
    """
    raise_all(from_outside(extra))
    # Ansible puts a host's variables together each time it is asked for them.
    hostvars = {host: task_vars["hostvars"][host] for host in task_vars["ansible_play_hosts_all"]}
    _of_one_stack(hostvars)
    guard(
        limit=str(settings["limit"]),
        limit_required=boolean(settings["limit_required"], "deploy_limit_required"),
        environments={
            host: str(found.get("maestro_environment", "")) for host, found in hostvars.items()
        },
        approval={
            "required": _needs_approval(settings["approval_required"], hostvars),
            "by": settings["approved_by"],
            "plan": settings["approved_plan"],
            "file": settings.get("approval"),
            "dry": boolean(settings["plan_only"], "__deploy_plan_only") or check_mode,
        },
    )


def _needs_approval(first: Any, hostvars: Mapping[str, Any]) -> bool:
    """Whether a run needs an approval: it does when one of its hosts asks for one."""
    name = "deploy_approval_required"
    asked = [
        found.get(name, found.get("maestro_approval_required", False))
        for found in hostvars.values()
    ]
    return True in [boolean(value, name) for value in (first, *asked)]


def _of_one_stack(hostvars: Mapping[str, Any]) -> None:
    """Refuse hosts whose variables name different stacks: a run is about one."""
    names = ("deploy_stack", "stack", "maestro_stack")
    found = {
        host: next((str(there[name]) for name in names if name in there), "")
        for host, there in hostvars.items()
    }
    if len(set(found.values())) > 1:
        raise MaestroError(
            "the hosts are not of one stack",
            where=", ".join(f"{host}: {name or 'none'}" for host, name in found.items()),
            fix="name the stack (-e stack=NAME), or run it for the hosts of one stack (-l HOSTS)",
        )


def reached(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The states of the hosts that were reached; one that could not answer is refused."""
    states = {host: state for host, state in found.items() if not state.get("unreachable")}
    raise_all(
        [
            MaestroError(
                f"its state cannot be read: {state.get('msg', 'it did not answer')}", where=host
            )
            for host, state in states.items()
            if state.get("failed") or not state
        ]
    )
    return states


def whole(answers: Mapping[str, Mapping[str, Any]], record: type[Record]) -> Mapping[str, Record]:
    """The same answers, each with every key that a ``record`` (a `TypedDict`) must have.

    ``answers`` are by the place that they come from: a host, or a parameter. `MaestroError` names
    all places where something is missing.
    """
    required: frozenset[str] = record.__required_keys__  # type: ignore[attr-defined]
    raise_all(
        [
            MaestroError(
                f"its answer lacks {', '.join(sorted(missing))}",
                where=place,
                fix="another version of Maestro made it: run maestro.stacks.provision for this "
                "host, then run this again",
            )
            for place, answer in answers.items()
            if (missing := required - set(answer))
        ]
    )
    return cast("Mapping[str, Record]", answers)


def new_values_serve(plan: Any, hosts: Sequence[str], hostvars: Mapping[str, Any]) -> bool:
    """Whether every host that was to change committed the new values and none went back.

    ``plan`` is the registered plan, ``hosts`` all hosts of the play.
    """
    changing = plan.get("changing") if isinstance(plan, Mapping) else None
    if not changing:
        return False
    committed = [hostvars[host].get("__deploy_committed") for host in changing]
    if any(not step or step.get("failed") or step.get("unreachable") for step in committed):
        return False
    return not any(hostvars[host].get("__deploy_put_back") for host in hosts)


def check_one_plan(approved: str, rounds: Sequence[str]) -> None:
    """Refuse an approval of one plan for a rotation in several rounds of these secrets."""
    if approved and len(rounds) > 1:
        raise MaestroError(
            f"the approval is for one plan, and this rotation takes {len(rounds)}, one after the "
            f"other: {'; '.join(rounds)}",
            where="-e approved_plan",
            fix="rotate them one by one (-e secret=NAME), each with the approval of its plan",
        )

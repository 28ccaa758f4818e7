"""What `maestro doctor` knows without a host: the controller, and the secrets of stacks."""

from __future__ import annotations

import configparser
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.release import __version__ as ansible_core

from ..errors import MaestroError
from ..report.doctor import NOTE, OK, PROBLEM, Check
from ..secrets.sources import open_source
from ..stack import files, profiles
from . import controller, guarded, problems, variable_text
from .output import register_secrets

PYTHON, ANSIBLE = (3, 11), ((2, 19), (2, 20), (2, 21))
_UNCHECKED = re.compile(r"StrictHostKeyChecking[ =]no", re.IGNORECASE)


def of_controller(root: Path) -> list[Check]:
    """The programs and settings here; read in the directory that plays run in."""
    return [_python(), _ansible(), _settings(root), _redaction(), _host_keys()]


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info >= PYTHON:
        return Check("controller", "Python", OK, found)
    return Check("controller", "Python", PROBLEM, found, "3.11 or newer is needed")


def _ansible() -> Check:
    version = tuple(int(part) for part in ansible_core.split(".")[:2])
    if version in ANSIBLE:
        return Check("controller", "ansible-core", OK, ansible_core)
    tested = ", ".join(".".join(map(str, each)) for each in ANSIBLE)
    fix = f"tested are {tested}: pip install 'ansible-core~={'.'.join(map(str, ANSIBLE[0]))}.0'"
    state = PROBLEM if version < ANSIBLE[0] else NOTE
    return Check("controller", "ansible-core", state, ansible_core, fix)


def _settings(root: Path) -> Check:
    found = constants.CONFIG_FILE
    here = root / "ansible.cfg"
    if found and Path(found).resolve() == here.resolve():
        return Check("controller", "ansible.cfg", OK, str(found))
    fix = f"run it in {root}; unset ANSIBLE_CONFIG; Ansible ignores it where everybody may write"
    what = f"Ansible reads {found}" if found else "Ansible reads none"
    return Check("controller", "ansible.cfg", PROBLEM, what, fix)


def _redaction() -> Check:
    enabled = set(constants.CALLBACKS_ENABLED)
    lacking = [name for name in guarded.CALLBACKS if name not in enabled]
    if importlib.util.find_spec("ansible_collections.maestro.stacks") is None:
        fix = "pip install maestro-stacks, into the environment of ansible-playbook"
        return Check("controller", "redaction", PROBLEM, "the collection is not installed", fix)
    if lacking:
        what = f"Ansible does not load {', '.join(lacking)}: every play refuses to run"
        fix = f"in ansible.cfg, [defaults]: callbacks_enabled = {','.join(guarded.CALLBACKS)}"
        return Check("controller", "redaction", PROBLEM, what, fix)
    return Check("controller", "redaction", OK, "masks what is shown")


def _host_keys() -> Check:
    if constants.HOST_KEY_CHECKING and not _UNCHECKED.search(_ssh_arguments()):
        return Check("keys", "host keys", OK, "are checked")
    fix = "remove host_key_checking and StrictHostKeyChecking=no from ansible.cfg"
    return Check("keys", "host keys", PROBLEM, "are not checked: anybody may answer", fix)


def _ssh_arguments() -> str:
    """What plays give ssh beside the rest, of the settings of this project."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    if constants.CONFIG_FILE:
        settings.read(constants.CONFIG_FILE, encoding="utf-8")
    names = ("ssh_args", "ssh_common_args", "ssh_extra_args")
    said = [settings.get("ssh_connection", name, fallback="") for name in names]
    return " ".join([*said, *(os.environ.get(f"ANSIBLE_{name.upper()}", "") for name in names)])


def of_secrets(given: Mapping[str, Any], deployed: Iterable[str], loader: Any) -> list[Check]:
    """A line for each stack: whether its secrets have values; names alone are said.

    ``given`` is what of a deploy is a host's own, with ``variables_by_stack`` and
    ``profiles_by_stack``. What lacks in a stack that is neither the usual one nor ``deployed`` is
    no problem yet.
    """
    directory = controller.project() / str(given["directory"])
    needed = {str(given["stack"]), *deployed}
    checks = []
    for name in sorted({*files.known(directory), str(given["stack"])}):
        try:
            count, found = _of_stack(directory, name, given, loader)
        except MaestroError as refused:
            count, found = 0, problems.each(refused)
        state = OK if not found else PROBLEM if name in needed else NOTE
        if not found:
            checks.append(Check("secrets", name, OK, f"{count} there" if count else "needs none"))
        checks += [
            Check("secrets", name, state, " ".join(filter(None, [one.where, one.what])), one.fix)
            for one in found
        ]
    return checks


def _of_stack(
    directory: Path, name: str, given: Mapping[str, Any], loader: Any
) -> tuple[int, list[MaestroError]]:
    said = given["variables_by_stack"]
    own = said.get(name) if isinstance(said, Mapping) else said
    variables = variable_text.texts(own or {}, name, controller.project())
    by_stack = given["profiles_by_stack"]
    wanted = by_stack.get(name) if isinstance(by_stack, Mapping) else by_stack
    stack = files.read(
        directory,
        name,
        str(given["environment"]),
        {**variables, "REGISTRY": str(given["registry"])},
        version="doctor",
        profiles=profiles.said(wanted or [], name),
    )
    login = [controller.REGISTRY_PASSWORD] if given["registry_username"] else []
    names = [*stack.secret_names, *login]
    source = open_source(
        dict(given["secrets"] or {}),
        environment=str(given["environment"]),
        stack=name,
        root=controller.project(),
        loader=loader,
    )
    try:
        register_secrets(source.read(names))
    except MaestroError as refused:
        return len(names), problems.each(refused)
    return len(names), []

"""No play of the collection runs where its callbacks are not: nothing shown would be masked.

Ansible loads the callbacks of a collection where `callbacks_enabled` names them, which is in the
ansible.cfg of whoever uses it: another one, or none, would take the masking away without a word.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import constants, context

from ..errors import MaestroError
from . import output

COLLECTION = "maestro.stacks"
CALLBACKS = (f"{COLLECTION}.output", f"{COLLECTION}.entry")
_LISTINGS = ("syntax", "listhosts", "listtasks", "listtags")


def check() -> None:
    """Refuse a run whose output is not masked, or whose command line nobody checked."""
    if output.installed() and set(CALLBACKS) <= set(constants.CALLBACKS_ENABLED):
        return
    raise MaestroError(
        "nothing masks the secrets in what this run shows: Ansible did not load the callbacks of "
        "Maestro",
        where=constants.CONFIG_FILE or "no ansible.cfg was read",
        fix=_fix(Path.cwd() / "ansible.cfg"),
    )


def hosts(pattern: Any) -> Any:
    """The filter `guarded`: the hosts of a play, or `MaestroError` where `check` refuses the run.

    Ansible asks it before the first task. Where it lists or checks a play, no callback is loaded.
    """
    if not any(context.CLIARGS.get(name) for name in _LISTINGS):
        check()
    return pattern


def _fix(here: Path) -> str:
    if os.environ.get("ANSIBLE_CALLBACKS_ENABLED"):
        return f"add them to ANSIBLE_CALLBACKS_ENABLED: {','.join(CALLBACKS)}"
    line = f"callbacks_enabled = {','.join(CALLBACKS)}"
    if os.environ.get("ANSIBLE_CONFIG") or not here.exists():
        return (
            "run it in the directory of your project's ansible.cfg (not another one by "
            f"ANSIBLE_CONFIG); its section [defaults] has the line: {line}"
        )
    if here.parent.stat().st_mode & 0o002:
        return (
            "Ansible ignores the ansible.cfg of a directory that everybody can write to: "
            f"chmod o-w {here.parent}"
        )
    return f"write into its section [defaults]: {line}"

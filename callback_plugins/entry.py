"""Checks a run before its first play; what is checked stands in maestro.play.entry."""

from __future__ import annotations

DOCUMENTATION = """
name: entry
type: aggregate
short_description: Refuses a run that is not what its command line means
description:
  - Refuses variables of the command line that nothing reads or that have the wrong type, and a play
    without hosts. Only for the playbooks of this collection.
  - It is enabled by C(callbacks_enabled) in ansible.cfg.
author: The Maestro authors (!UNKNOWN)
requirements:
  - the Python package C(maestro)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import ExitCode
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars
from ansible.vars.manager import VariableManager

from maestro.errors import MaestroError, raise_all
from maestro.play import agent_archive, collector, controller, entry, runs

COLLECTION = Path(__file__).parents[2]


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible is not typed
    """Ends the run: an error of a callback would be a warning."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "maestro.stacks.entry"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._ours = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Check what can be known before the first play."""
        collector.relax()
        plays = playbook.get_plays()
        files = {playbook._file_name, *(play._included_path for play in plays)}  # noqa: SLF001
        self._ours = any(_is_ours(file) for file in files)
        if not self._ours:
            return
        manager = plays[0].get_variable_manager()
        extra = load_extra_vars(manager._loader)  # noqa: SLF001 -- Ansible gives no other way
        known = entry.Known(COLLECTION, controller.project())
        try:
            controller.leave_nothing_behind()
            raise_all(
                [
                    *entry.problems(extra, known, lambda: _inventory(manager)),
                    *entry.unread(extra, _names(playbook)),
                    *entry.overridden(controller.project(), _groups(manager._inventory, extra)),  # noqa: SLF001
                ]
            )
        except MaestroError as error:
            self._refuse(str(error))
        # Ansible's own dictionary, from which every task gets them.
        extra.update(entry.converted(extra, known))
        # What the workers of all hosts need: they are forks, and have what is found here.
        agent_archive.identity()
        runs.look()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Refuse a play that nobody is in: it would end as if all were well."""
        if self._ours:
            self._refuse(
                str(
                    MaestroError(
                        "no host is in this play: the inventory has none of its hosts",
                        where=", ".join(map(str, context.CLIARGS["inventory"] or ())),
                        fix="name the inventory (-i) and the hosts (-l) that are meant; "
                        "ansible-inventory --graph shows what there is",
                    )
                )
            )

    def _refuse(self, text: str) -> None:
        self._display.error(text, wrap_text=False)
        raise SystemExit(int(ExitCode.INVALID_CLI_OPTION))


def _names(playbook: Any) -> set[str]:
    """The names of the run's playbooks; none where a play of somebody else's is among them."""
    files = {play._included_path or playbook._file_name for play in playbook.get_plays()}  # noqa: SLF001
    return {Path(file).name for file in files} if all(map(_is_ours, files)) else set()


def _is_ours(file: str | None) -> bool:
    path = Path(file or "").resolve()
    project = controller.project()
    return path == project / "deploy.yml" or path.parent == (COLLECTION / "playbooks").resolve()


def _groups(inventory: Any, extra: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    """What files of the inventory set for groups that hosts of this run are in."""
    chosen = set(inventory.get_hosts())
    for name, group in sorted(inventory.groups.items()):
        if chosen & set(group.get_hosts()):
            yield name, {key: value for key, value in group.vars.items() if key not in extra}


def _inventory(manager: Any) -> Iterable[dict[str, Any]]:
    """The variables of each host, as the inventory and group_vars have them."""
    apart = VariableManager(loader=manager._loader, inventory=manager._inventory)  # noqa: SLF001
    apart._extra_vars = {}  # noqa: SLF001
    for host in manager._inventory.get_hosts(ignore_limits=True):  # noqa: SLF001
        yield apart.get_vars(host=host, include_hostvars=False)

"""Print what each host resolves from each playbook: `resolved_vars.py PLAYBOOK... -- NAME...`.

Plays and variables are loaded as ansible-playbook loads them; nothing is run. The answer is
JSON: playbook -> host -> variable -> value, of the last play of the playbook.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager


def resolve(path: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """What every host of the default inventories resolves in a playbook's last play."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=constants.DEFAULT_HOST_LIST)
    manager = VariableManager(loader=loader, inventory=inventory)
    play = Playbook.load(path, variable_manager=manager, loader=loader).get_plays()[-1]
    found = {}
    for host in inventory.get_hosts():
        known = manager.get_vars(play=play, host=host)
        templar = Templar(loader=loader, variables=known)
        found[host.name] = {name: templar.template(known.get(name)) for name in names}
    return found


if __name__ == "__main__":
    init_plugin_loader()
    at = sys.argv.index("--")
    playbooks, variables = sys.argv[1:at], sys.argv[at + 1 :]
    print(json.dumps({path: resolve(path, variables) for path in playbooks}))

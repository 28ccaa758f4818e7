"""Ansible module: run a migration, see `maestro.host.migrate`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import migrate
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_migrate
short_description: Run a migration from the new image
description:
  - Runs a one-shot service of the staged release while the old release still serves.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  release:
    description: Id of the staged release.
    type: str
    required: true
  migrations:
    description: Service, levels of services it needs, and seconds it may take.
    type: list
    elements: dict
    required: true
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Run a migration from the new image
  maestro_migrate:
    root: /opt/maestro
    stack: shop
    release: 20260101T120000Z-1f2e
    migrations: [{service: migrate, needs: [[db]], timeout: 300}]
"""
RETURN = r"""
output: {description: What the migration wrote, redacted., returned: success, type: list}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "migrations": {"type": "list", "elements": "dict", "required": True},
        }
    )
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    try:
        output = migrate.migrate(layout, module.params["release"], module.params["migrations"])
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(module.params["migrations"]), output=output)


if __name__ == "__main__":
    main()

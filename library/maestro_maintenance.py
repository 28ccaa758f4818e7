"""Ansible module: the maintenance page of a stack on or off, see `maestro.host.edge`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import edge
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_maintenance
short_description: Answer a stack's routes with the maintenance page, or no longer
description:
  - Status 503 with Retry-After on every route but the paths of health checks. It outlives deploys
    and restarts.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  on:
    description: Whether the page is shown.
    type: bool
    required: true
  by:
    description: Who wants it, for the stack's history; known to the action plugin.
    type: str
    default: ""
attributes:
  check_mode: {support: full, description: Says whether it would be switched.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Show the maintenance page
  maestro_maintenance:
    root: /opt/maestro
    stack: shop
    "on": true
"""
RETURN = r"""
{}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "on": {"type": "bool", "required": True},
            "by": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    given = {"on": bool(module.params["on"]), "by": module.params["by"]}
    try:
        changed = edge.maintain(layout, **given, check=module.check_mode)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()

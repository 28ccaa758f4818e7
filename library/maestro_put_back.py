"""Ansible module: let the release that served serve again, see `maestro.host.roll`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import roll
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_put_back
short_description: Put the old release back
description:
  - Restores the services of the release that served and removes everything the failed one brought.
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
  timeout:
    description: Seconds to wait for healthy services.
    type: float
    required: true
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Put the old release back
  maestro_put_back:
    root: /opt/maestro
    stack: shop
    release: 20260101T120000Z-1f2e
    timeout: 120
"""
RETURN = r"""
serves: {description: Id of the release that serves now., returned: success, type: str}
restored: {description: Services that were put back., returned: success, type: list}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "timeout": {"type": "float", "required": True},
        }
    )
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    try:
        done = roll.put_back(layout, module.params["release"], module.params["timeout"])
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done["restored"]), **done)


if __name__ == "__main__":
    main()

"""Ansible module: make the smoke checks, see `maestro.host.smoke`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import smoke
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_smoke
short_description: Make the smoke checks
description:
  - Makes HTTP, TCP and command checks from the host itself.
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
  checks:
    description: The checks of x-maestro.smoke.
    type: list
    elements: dict
    required: true
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Make the smoke checks
  maestro_smoke:
    root: /opt/maestro
    stack: shop
    release: 20260101T120000Z-1f2e
    checks: [{tcp: {port: 80}}]
"""
RETURN = r"""
passed: {description: Names of the checks that passed., returned: success, type: list}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "checks": {"type": "list", "elements": "dict", "required": True},
        }
    )
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    try:
        passed = smoke.check(layout, module.params["release"], module.params["checks"])
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, passed=passed)


if __name__ == "__main__":
    main()

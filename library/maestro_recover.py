"""Ansible module: put back what a vanished deploy left, see `maestro.host.switch`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import switch
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_recover
short_description: Put back what a vanished deploy left half-done
description:
  - Takes over a lease that has expired and lets the release that served before serve again.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
attributes:
  check_mode: {support: none, description: A dry run shows the state as it was left.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Put back what a vanished deploy left half-done
  maestro_recover:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
serves: {description: Id of the release that serves again., returned: success, type: str}
"""

NEXT = "the next run"


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
        }
    )
    params = module.params
    try:
        serves = switch.recover(Layout(Path(params["root"]), params["stack"]), NEXT)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(serves), serves=serves)


if __name__ == "__main__":
    main()

"""Ansible module: put back what a vanished deploy left, see `maestro.host.switch`."""

from __future__ import annotations

from ansible.module_utils import maestro_module

DOCUMENTATION = r"""
module: maestro_recover
short_description: Roll back what a lost deploy did not finish
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
- name: Roll back what a lost deploy did not finish
  maestro_recover:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
serves: {description: Id of the release that runs again., returned: success, type: str}
"""

if __name__ == "__main__":
    maestro_module.run("maestro_recover")

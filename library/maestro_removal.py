"""Ansible module: what a host has of a stack, see `maestro.host.removal`."""

from __future__ import annotations

from ansible.module_utils import maestro_module

DOCUMENTATION = r"""
module: maestro_removal
short_description: Read what a host has of a stack
description:
  - Reads everything a removal would take away or leave. The stack's own files are not needed.
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
  check_mode: {support: full, description: Changes nothing in any mode.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Read what there is of a stack
  maestro_removal:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
found: {description: Services, networks, volumes and more by name., returned: success, type: dict}
"""

if __name__ == "__main__":
    maestro_module.run("maestro_removal")

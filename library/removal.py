"""Ansible module: what a host has of a stack, see `maestro.host.removal`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: removal
short_description: Read what a host has of a stack
description:
  - Reads everything a removal would take away or leave. The stack's own files are not needed.
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
options:
  dead:
    description: Runs that are known to be dead; a lease of one of them expires at once.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read what there is of a stack
  maestro.stacks.removal:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
found: {description: "Services, networks, volumes and more by name.", returned: success, type: dict}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("removal")

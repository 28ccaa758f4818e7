"""Ansible module: what happened to stacks on a host, see `maestro.host.journal`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journal
short_description: Read what happened to the stacks of a host
description:
  - Reads the events a host recorded - deploys, rollbacks, rotations, removals, failed and refused
    runs, and what the host put back by itself.
options:
  stack:
    description: Name of the stack; all stacks when empty.
    type: str
    default: ""
  last:
    description: How many of the last events are read.
    type: int
    default: 50
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read the last ten events of a stack
  maestro.stacks.journal:
    root: /opt/maestro
    stack: shop
    last: 10
"""
RETURN = r"""
events: {description: "The events by time, oldest first.", returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("journal")

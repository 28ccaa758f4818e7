"""Ansible module: read a stack's logs, see `maestro.host.logs`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: logs
short_description: Read a stack's logs with its secrets masked
description:
  - Reads what the stack's containers wrote. Secrets are masked on the host - those of the stack
    in every form, and what looks like one.
options:
  services:
    description: The services to read; all when empty.
    type: list
    elements: str
    required: true
  since:
    description: A time or an age; all when empty.
    type: str
    required: true
  tail:
    description: How many last lines of each container, or V(all).
    type: str
    required: true
  timestamps:
    description: Whether each line begins with its time.
    type: bool
    default: false
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read the last lines of all services
  maestro.stacks.logs:
    root: /opt/maestro
    stack: shop
    services: []
    since: 10m
    tail: "100"
"""
RETURN = r"""
text: {description: The log lines., returned: success, type: str}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("logs")

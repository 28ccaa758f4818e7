"""Ansible module: take a stack off a host, see `maestro.host.removal`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove
short_description: Take a stack off a host
description:
  - Removes routes, containers, networks, releases, secrets and images of a stack. A volume is
    removed only when it is named.
options:
  volumes:
    description: Volumes that are removed with all their data.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds that count as for a deploy.
    type: float
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Remove a stack and keep its data
  maestro.stacks.remove:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    volumes: []
    timeout: 120
"""
RETURN = r"""
removed: {description: What was removed., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("remove")

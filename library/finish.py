"""Ansible module: drop what no release needs any more, see `maestro.host.release`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: finish
short_description: Remove what no release needs
description:
  - Keeps the newest releases and removes the others with their secrets, configs and images,
    then gives the stack's lease back.
options:
  keep:
    description: How many releases stay.
    type: int
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Keep the five newest releases
  maestro.stacks.finish:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    keep: 5
"""
RETURN = r"""
dropped: {description: Ids of the releases that were dropped., returned: success, type: list}
networks: {description: Networks that no service uses any more., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("finish")

"""Ansible module: make the smoke checks, see `maestro.host.smoke`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke
short_description: Run the smoke checks
description:
  - Makes HTTP, TCP and command checks from the host itself.
options:
  release:
    description: Id of the staged release.
    type: str
    required: true
  checks:
    description: The checks of x-maestro.smoke.
    type: list
    elements: dict
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Run the smoke checks
  maestro.stacks.smoke:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    checks: [{tcp: {port: 80}}]
"""
RETURN = r"""
passed: {description: Names of the checks that passed., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("smoke")

"""Ansible module: commit the staged release, see `maestro.host.release`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: commit
short_description: Commit the staged release
description:
  - Writes release.json, lets `current` point at the release, disarms the switch that would put
    the old one back, and removes the services the release no longer has.
options:
  release:
    description: Id of the staged release.
    type: str
    required: true
  manifest:
    description: The content of release.json.
    type: dict
    required: true
  remove:
    description: Services the release no longer has.
    type: list
    elements: str
    required: true
  kind:
    description: Whose rules count, update_config's or rollback_config's.
    choices: [update, rollback]
    default: update
    type: str
  timeout:
    description: Seconds an operation on the services may take.
    type: float
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Commit the staged release
  maestro.stacks.commit:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    manifest: {}
    remove: []
    timeout: 120
"""
RETURN = r"""
removed: {description: Services that were removed., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("commit")

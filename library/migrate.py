"""Ansible module: run a migration, see `maestro.host.migrate`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate
short_description: Run a migration from the new image
description:
  - Runs a one-shot service of the staged release while the old release still serves.
options:
  release:
    description: Id of the staged release.
    type: str
    required: true
  services:
    description: Hash, replicas and rules of every service of the release.
    type: dict
    required: true
  migrations:
    description: >-
      Service, levels of services it needs, seconds it may take, and networks it uses as they are.
    type: list
    elements: dict
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Run a migration from the new image
  maestro.stacks.migrate:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    services: {db: {hash: 0a1b, replicas: 1}}
    migrations: [{service: migrate, needs: [[db]], timeout: 300}]
"""
RETURN = r"""
output: {description: "What the migration wrote, redacted.", returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("migrate")

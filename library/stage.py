"""Ansible module: write a release beside the one that serves, see `maestro.host.release`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage
short_description: Stage a release
description:
  - Writes the resolved Compose file and its configuration files; nothing uses them yet.
options:
  release:
    description: Id of the staged release.
    type: str
    required: true
  compose:
    description: The resolved Compose file.
    type: str
    required: true
  configs:
    description: Configuration files by name and digest, each with its bytes and mode.
    type: dict
    required: true
  secrets:
    description: Secret files the release needs of values that are on the host already.
    type: list
    elements: dict
    default: []
  reading:
    description: What Compose made of the files the release was made from, and what it follows from.
    type: dict
    default: {}
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Stage a release
  maestro.stacks.stage:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    compose: ...
    configs: {}
"""
RETURN = r"""
{}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("stage")

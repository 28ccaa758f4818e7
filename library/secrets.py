"""Ansible module: write secret files, see `maestro.host.secrets`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Write versioned secret files
description:
  - Writes one read-only file per secret, version and reader; a file that exists is never rewritten.
options:
  request:
    description: The answer of the step that checked the request.
    type: dict
    required: true
  files:
    description: Name, version and uid of each file that must be there.
    type: list
    elements: dict
    required: true
  payload:
    description: The values as one JSON text.
    type: str
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Write versioned secret files
  maestro.stacks.secrets:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    request: {}
    files: []
"""
RETURN = r"""
written: {description: Names of the secrets that got a new file., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("secrets")

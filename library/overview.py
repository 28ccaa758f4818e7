"""Ansible module: what a host runs and how it differs, see `maestro.host.overview`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overview
short_description: Read what a host runs and what was changed by hand
description:
  - Reads releases, containers, images and files of a host; no value of a secret or of an
    environment variable is in the answer.
options:
  stack:
    description: Name of the stack; all stacks of the host when empty.
    type: str
    default: ""
  security:
    description: Whether it is read how each container is closed off.
    type: bool
    default: false
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read what runs
  maestro.stacks.overview:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
release: {description: The manifest of the running release., returned: success, type: dict}
containers: {description: The stack's containers and how each is., returned: success, type: list}
stacks: {description: All of it by stack., returned: without a stack, type: dict}
edge: {description: The container of the edge., returned: when asked for security, type: dict}
silent: {description: Ports that do not answer., returned: without a stack, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("overview")

"""Ansible module: what a host runs and can go back to, see `maestro.host.history`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: history
short_description: Read what a host runs and what it can go back to
description:
  - Reads the releases, containers and images of a host. Neither a registry nor the stack's
    own files are needed for it.
options:
  to:
    description: Id of a release to go back to; by default the one before.
    type: str
    default: ""
  wait:
    description: Seconds to wait for a run that holds the stack's lease.
    type: float
    default: 0
  dead:
    description: Runs that are known to be dead; a lease of one of them expires at once.
    type: list
    elements: str
    default: []
  payload:
    description: Secrets to look up, as one JSON text.
    type: str
    default: ""
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read what the host can go back to
  maestro.stacks.history:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
release: {description: The manifest of the running release., returned: success, type: dict}
target: {description: The manifest of the release to go back to., returned: success, type: dict}
releases: {description: "What is kept, by id.", returned: success, type: dict}
containers: {description: The stack's containers., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("history")

"""Ansible module: the maintenance page of a stack on or off, see `maestro.host.edge`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance
short_description: Answer a stack's routes with the maintenance page, or no longer
description:
  - Status 503 with Retry-After on every route but the paths of health checks. It outlives deploys
    and restarts.
options:
  "on":
    description: Whether the page is shown.
    type: bool
    required: true
  by:
    description: Who wants it, for the stack's history; known to the action plugin.
    type: str
    default: ""
  approval:
    description: The plan of this change and its approval, for a host that asks for one.
    type: dict
    default: {}
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: full, description: Says whether it would be switched.}
"""
EXAMPLES = r"""
- name: Show the maintenance page
  maestro.stacks.maintenance:
    root: /opt/maestro
    stack: shop
    "on": true
"""
RETURN = r"""
{}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import work
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.host import provisioning

if __name__ == "__main__":
    work.run(provisioning.maintain, provisioning.MAINTENANCE)

"""Ansible module: the maintenance page of a stack on or off, see `maestro.host.edge`."""

from __future__ import annotations

from ansible.module_utils import maestro_work
from ansible.module_utils.maestro.host import provisioning

DOCUMENTATION = r"""
module: maestro_maintenance
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
extends_documentation_fragment: [maestro, maestro.stack]
attributes:
  check_mode: {support: full, description: Says whether it would be switched.}
"""
EXAMPLES = r"""
- name: Show the maintenance page
  maestro_maintenance:
    root: /opt/maestro
    stack: shop
    "on": true
"""
RETURN = r"""
{}
"""

if __name__ == "__main__":
    maestro_work.run(provisioning.maintain, provisioning.MAINTENANCE)

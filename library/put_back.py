"""Ansible module: let the release that served serve again, see `maestro.host.roll`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: put_back
short_description: Restore the previous release
description:
  - Restores the services of the release that served and removes everything the failed one brought.
options:
  release:
    description: Id of the staged release, which is removed; empty when none was staged.
    type: str
    required: true
  serves:
    description: Id of the release that served before; empty when there was none.
    type: str
    required: true
  timeout:
    description: Seconds to wait for healthy services.
    type: float
    required: true
  settle:
    description: Seconds a container without a health check must run without a restart.
    type: float
    default: 5
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Restore the previous release
  maestro.stacks.put_back:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260102T120000Z-3d4c
    serves: 20260101T120000Z-1f2e
    timeout: 120
"""
RETURN = r"""
serves: {description: Id of the release that runs now., returned: success, type: str}
restored: {description: Services that were put back., returned: success, type: list}
problem:
  description: What could not be put back; the host tries again by itself. Empty when all serves.
  returned: success
  type: str
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("put_back")

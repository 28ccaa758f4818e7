"""Ansible module: put back what a vanished deploy left, see `maestro.host.switch`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recover
short_description: Roll back what a lost deploy did not finish
description:
  - Takes over a lease that has expired and lets the release that served before serve again.
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: none, description: A dry run shows the state as it was left.}
"""
EXAMPLES = r"""
- name: Roll back what a lost deploy did not finish
  maestro.stacks.recover:
    root: /opt/maestro
    stack: shop
"""
RETURN = r"""
serves: {description: Id of the release that runs again., returned: success, type: str}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("recover")

"""Ansible module: how a host is, see `maestro.host.checkup`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: checkup
short_description: Look whether a host is ready for deploys
description:
  - Reads versions, room, the clock, the host's agent and its Engine, and asks the registry whether
    it takes the login. Nothing is changed.
options:
  stack:
    description: Not used; all stacks of the host are looked at.
    type: str
    default: ""
  registry:
    description: Address of the registry that images come from; it is not asked when empty.
    type: str
    default: ""
  payload:
    description: The registry's login as one JSON text.
    type: str
    required: true
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Look at the host
  maestro.stacks.checkup:
    root: /opt/maestro
"""
RETURN = r"""
facts: {description: How the host is., returned: success, type: dict}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("checkup")

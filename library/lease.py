"""Ansible module: take a stack's lease, or give it back, see `maestro.host.lease`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lease
short_description: Take a stack's lease, or give it back
description:
  - Takes the right to change a stack on this host, and sets the switch that puts the old
    release back when nobody is heard of any more.
options:
  state:
    description: Whether to take it or to give it back.
    type: str
    choices: [acquired, released]
    required: true
  claim:
    description: Who takes it and for what; see `maestro.host.lease.acquire`.
    type: dict
    default: {}
  expect:
    description: Release and containers the plan was made on.
    type: dict
    default: {}
  token:
    description: Token of the lease to give back; nothing is done without one.
    type: str
    default: ""
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Take the stack's lease
  maestro.stacks.lease:
    root: /opt/maestro
    stack: shop
    state: acquired
    claim:
      by: jo@desk
      purpose: deploy of v2
      release: r2
      serves: r1
      limit: 60
      timeout: 120
      armed: true
    expect: {release: r1, containers: []}
"""
RETURN = r"""
token: {description: What the following steps show., returned: success, type: str}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("lease")

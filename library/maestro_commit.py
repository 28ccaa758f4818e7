"""Ansible module: commit the staged release, see `maestro.host.release`."""

from __future__ import annotations

from typing import Any

from ansible.module_utils import maestro_module
from ansible.module_utils.maestro.host import lease, release, roll
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_commit
short_description: Commit the staged release
description:
  - Writes release.json, lets `current` point at the release, disarms the switch that would put
    the old one back, and removes the services the release no longer has.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  lease:
    description: Token of the lease under which the stack is changed.
    type: str
    required: true
  release:
    description: Id of the staged release.
    type: str
    required: true
  manifest:
    description: The content of release.json.
    type: dict
    required: true
  remove:
    description: Services the release no longer has.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds an operation on the services may take.
    type: float
    required: true
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Commit the staged release
  maestro_commit:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    manifest: {}
    remove: []
    timeout: 120
"""
RETURN = r"""
removed: {description: Services that were removed., returned: success, type: list}
"""


ARGUMENTS = {
    "release": {"type": "str", "required": True},
    "manifest": {"type": "dict", "required": True},
    "remove": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "float", "required": True},
}


def work(layout: Layout, params: dict[str, Any]) -> dict[str, Any]:
    """Do it, and say what changed."""
    release.commit(layout, params["release"], params["manifest"])
    lease.disarm(layout, params["lease"])
    aim = roll.Aim(params["release"], params["manifest"]["services"])
    removed = roll.Roll(layout, aim, params["timeout"]).remove(params["remove"])
    return {"changed": True, "removed": removed}


if __name__ == "__main__":
    maestro_module.run(ARGUMENTS, work)

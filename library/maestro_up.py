"""Ansible module: bring services to the staged release, see `maestro.host.roll`."""

from __future__ import annotations

from typing import Any

from ansible.module_utils import maestro_module
from ansible.module_utils.maestro.host import roll
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_up
short_description: Bring services to the staged release
description:
  - Replaces services level by level, waits until each is healthy, removes those not wanted.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  release:
    description: Id of the staged release.
    type: str
    required: true
  levels:
    description: Services to bring up, in levels.
    type: list
    elements: list
    required: true
  recreate:
    description: Services that get a new container in any case.
    type: list
    elements: str
    required: true
  remove:
    description: Services to remove.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for healthy services.
    type: float
    required: true
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Bring services to the staged release
  maestro_up:
    root: /opt/maestro
    stack: shop
    release: 20260101T120000Z-1f2e
    levels: [[db], [app]]
    recreate: []
    remove: []
    timeout: 120
"""
RETURN = r"""
created: {description: Services that are new., returned: success, type: list}
replaced: {description: Services with a new container., returned: success, type: list}
removed: {description: Services that are gone., returned: success, type: list}
"""


ARGUMENTS = {
    "release": {"type": "str", "required": True},
    "levels": {"type": "list", "elements": "list", "required": True},
    "recreate": {"type": "list", "elements": "str", "required": True},
    "remove": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "float", "required": True},
}


def work(layout: Layout, params: dict[str, Any]) -> dict[str, Any]:
    """Do it, and say what changed."""
    done = roll.up(
        layout, params["release"], params["levels"], params["timeout"], params["recreate"]
    )
    done["removed"] = roll.remove_services(layout, params["remove"])
    return {"changed": any(done.values()), **done}


if __name__ == "__main__":
    maestro_module.run(ARGUMENTS, work)

"""Ansible module: commit the staged release, see `maestro.host.release`."""

from __future__ import annotations

from typing import Any

from ansible.module_utils import maestro_module
from ansible.module_utils.maestro.host import release
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_commit
short_description: Commit the staged release
description:
  - Writes release.json, lets `current` point at the release, drops the oldest releases.
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
  manifest:
    description: The content of release.json.
    type: dict
    required: true
  keep:
    description: How many releases stay.
    type: int
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
    release: 20260101T120000Z-1f2e
    manifest: {}
    keep: 5
"""
RETURN = r"""
dropped: {description: Ids of the releases that were dropped., returned: success, type: list}
"""


ARGUMENTS = {
    "release": {"type": "str", "required": True},
    "manifest": {"type": "dict", "required": True},
    "keep": {"type": "int", "required": True},
}


def work(layout: Layout, params: dict[str, Any]) -> dict[str, Any]:
    """Do it, and say what changed."""
    dropped = release.commit(layout, params["release"], params["manifest"], params["keep"])
    return {"changed": True, "dropped": dropped}


if __name__ == "__main__":
    maestro_module.run(ARGUMENTS, work)

"""Ansible module: what a host has verified of a stack, see `maestro.host.verified`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verified
short_description: Read what a host runs of a stack and has verified
description:
  - Reads the release that serves, when its checks passed, and what is wrong with it by now.
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read what staging has verified
  maestro.stacks.verified:
    root: /opt/maestro
    stack: shop
  delegate_to: staging-1
"""
RETURN = r"""
release: {description: Id of the release that serves., returned: success, type: str}
images: {description: Its images with their digests., returned: success, type: dict}
at: {description: When it was verified., returned: success, type: str}
problems: {description: What is wrong with it by now., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("verified")

"""Ansible module: keep in a host's history that a run was refused, see `maestro.host.journal`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: note
short_description: Keep in a host's history that a run was refused
description:
  - Adds an event with the reason to the history of the stack. Secrets of the stack are masked.
options:
  claim:
    description: What the run was for - its purpose, who ran it and who approved it.
    type: dict
    required: true
  reason:
    description: Why the run was refused.
    type: str
    required: true
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: none, description: Nothing is noted in check mode.}
"""
EXAMPLES = r"""
- name: Keep that the run was refused
  maestro.stacks.note:
    root: /opt/maestro
    stack: shop
    claim: {purpose: deploy of v2, approved_by: ""}
    reason: the plan was not approved
"""
RETURN = r"""
{}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("note")

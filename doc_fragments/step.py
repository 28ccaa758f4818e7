"""What the pages of Maestro's modules have in common.

https://docs.ansible.com/ansible/latest/dev_guide/developing_modules_documenting.html#documentation-fragments
"""

from __future__ import annotations


class ModuleDocFragment:
    """``maestro`` is for all, ``maestro.stack`` for one stack, ``maestro.lease`` to change it."""

    DOCUMENTATION = r"""
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
author: The Maestro authors (!UNKNOWN)
"""

    STACK = r"""
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
"""

    LEASE = r"""
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  lease:
    description: Token of the lease under which the stack is changed.
    type: str
    required: true
"""

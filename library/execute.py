"""Ansible module: run a command in a container, see `maestro.host.command`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: execute
short_description: Run a command in a container of a service
description:
  - Runs one command in a running container of the service, without a shell and without input. What
    it writes is masked on the host, and the history of the stack has the command.
options:
  service:
    description: Name of the service.
    type: str
    required: true
  argv:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
  seconds:
    description: How long it may take.
    type: float
    default: 60
  by:
    description: Who wants it, for the history.
    type: str
    default: ""
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.stack]
attributes:
  check_mode: {support: none, description: Nothing is known of what the command would do.}
"""
EXAMPLES = r"""
- name: List the databases
  maestro.stacks.execute:
    root: /opt/maestro
    stack: shop
    service: db
    argv: [psql, --list]
"""
RETURN = r"""
rc: {description: The exit code., returned: success, type: int}
text: {description: What it wrote., returned: success, type: str}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("execute")

"""Ansible module: the state of a host, see `maestro.host.state`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: state
short_description: Read everything a deploy is decided on, in one call
description:
  - Reads releases, containers, images, secrets and room of a host, lets Compose read the
    stack's files, and asks the registry for digests when O(resolve=true).
options:
  request:
    description: The answer of the step that checked the request.
    type: dict
    required: true
  resolve:
    description: Whether this host asks the registry; one host of a play does.
    type: bool
    required: true
  wait:
    description: Seconds to wait for a deploy that holds the stack's lease.
    type: float
    default: 0
  dead:
    description: Runs that are known to be dead; a lease of one of them expires at once.
    type: list
    elements: str
    default: []
  payload:
    description: Secrets and registry login as one JSON text.
    type: str
    required: true
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
"""
EXAMPLES = r"""
- name: Read the state of the host
  maestro.stacks.state:
    request: "{{ __deploy_request['request'] }}"
    root: /opt/maestro
    resolve: true
"""
RETURN = r"""
release: {description: The manifest of the running release., returned: success, type: dict}
model: {description: The stack as Compose reads it., returned: success, type: dict}
containers: {description: The stack's containers., returned: success, type: list}
resolved: {description: Digest of each image reference., returned: success, type: dict}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("state")

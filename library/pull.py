"""Ansible module: pull images by digest, see `maestro.host.engine.Engine.pull`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pull
short_description: Pull images by digest
description:
  - Pulls what is missing, several images at once. The registry login is handed to the
    Engine with each request and stored nowhere.
options:
  request:
    description: The answer of the step that checked the request.
    type: dict
    required: true
  images:
    description: References of the form NAME@sha256:...
    type: list
    elements: str
    required: true
  payload:
    description: The registry login as one JSON text.
    type: str
    required: true
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: none, description: The plan says what would be pulled.}
"""
EXAMPLES = r"""
- name: Pull the images by digest
  maestro.stacks.pull:
    root: /opt/maestro
    request: "{{ __deploy_request['request'] }}"
    images: ["registry.example.com/app@sha256:..."]
"""
RETURN = r"""
pulled: {description: The images that were not there., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("pull")

"""Ansible module: pull images by digest, see `maestro.host.engine.Engine.pull`."""

from __future__ import annotations

import json

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host.images import pull
from ansible.module_utils.maestro.host.registry import Login

DOCUMENTATION = r"""
module: maestro_pull
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
attributes:
  check_mode: {support: none, description: The plan says what would be pulled.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Pull the images by digest
  maestro_pull:
    request: "{{ __deploy_request['request'] }}"
    images: ["registry.example.com/app@sha256:..."]
"""
RETURN = r"""
pulled: {description: The images that were not there., returned: success, type: list}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "request": {"type": "dict", "required": True},
            "images": {"type": "list", "elements": "str", "required": True},
            "payload": {"type": "str", "required": True, "no_log": True},
        }
    )
    login = json.loads(module.params["payload"])["login"]
    try:
        pulled = pull(module.params["images"], Login(**login) if login else None)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(pulled), pulled=pulled)


if __name__ == "__main__":
    main()

"""Ansible module: the state of a host, see `maestro.host.state`."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import lease, state
from ansible.module_utils.maestro.host.layout import Layout
from ansible.module_utils.maestro.host.registry import Login

DOCUMENTATION = r"""
module: maestro_state
short_description: Read everything a deploy is decided on, in one call
description:
  - Reads releases, containers, images, secrets and room of a host, lets Compose read the
    stack's files, and asks the registry for digests when O(resolve=true).
options:
  request:
    description: The answer of the step that checked the request.
    type: dict
    required: true
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  resolve:
    description: Whether this host asks the registry; one host of a play does.
    type: bool
    required: true
  wait:
    description: Seconds to wait for a deploy that holds the stack's lease.
    type: float
    default: 0
  payload:
    description: Secrets and registry login as one JSON text.
    type: str
    required: true
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Read the state of the host
  maestro_state:
    request: "{{ __deploy_request['request'] }}"
    root: /opt/maestro
    resolve: true
"""
RETURN = r"""
release: {description: The manifest of the release that serves., returned: success, type: dict}
model: {description: The stack as Compose reads it., returned: success, type: dict}
containers: {description: The stack's containers., returned: success, type: list}
resolved: {description: Digest of each image reference., returned: success, type: dict}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "request": {"type": "dict", "required": True},
            "root": {"type": "path", "required": True},
            "resolve": {"type": "bool", "required": True},
            "wait": {"type": "float", "default": 0},
            "payload": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    request = module.params["request"]
    given = json.loads(module.params["payload"])
    asked = state.Request(
        stack=request["stack"],
        root=module.params["root"],
        files=request["files"],
        compose_files=request["compose_files"],
        version=request["version"],
        variables=request["variables"],
        resolve=module.params["resolve"],
        login=Login(**given["login"]) if given["login"] else None,
        secrets=given["secrets"],
    )
    lease.wait(Layout(Path(asked.root), asked.stack), module.params["wait"])
    try:
        module.exit_json(changed=False, **state.read(asked))
    except MaestroError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

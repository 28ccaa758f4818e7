"""Ansible module: take a stack's lease, or give it back, see `maestro.host.lease`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import containers, lease, switch
from ansible.module_utils.maestro.host.engine import Engine
from ansible.module_utils.maestro.host.layout import Layout

DOCUMENTATION = r"""
module: maestro_lease
short_description: Take a stack's lease, or give it back
description:
  - Takes the right to change a stack on this host, and sets the switch that puts the old
    release back when nobody is heard of any more.
options:
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  state:
    description: Whether to take it or to give it back.
    type: str
    choices: [acquired, released]
    required: true
  claim:
    description: Who takes it and for what; see `maestro.host.lease.acquire`.
    type: dict
    default: {}
  expect:
    description: Release and containers the plan was made on.
    type: dict
    default: {}
  token:
    description: Token of the lease to give back; nothing is done without one.
    type: str
    default: ""
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Take the stack's lease
  maestro_lease:
    root: /opt/maestro
    stack: shop
    state: acquired
    claim:
      by: jo@desk
      purpose: deploy of v2
      release: r2
      serves: r1
      limit: 60
      timeout: 120
      armed: true
    expect: {release: r1, containers: []}
"""
RETURN = r"""
token: {description: What the following steps show., returned: success, type: str}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "required": True, "choices": ["acquired", "released"]},
            "claim": {"type": "dict", "default": {}},
            "expect": {"type": "dict", "default": {}},
            "token": {"type": "str", "default": "", "no_log": False},
        }
    )
    params = module.params
    layout = Layout(Path(params["root"]), params["stack"])
    token = params["token"]
    try:
        if params["state"] == "acquired":
            token = acquire(layout, params["claim"], params["expect"])
        elif token:
            lease.release(layout, token)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the lease of {layout.stack} cannot be written: {error}")
    module.exit_json(changed=False, token=token)


def acquire(layout: Layout, claim: dict, expect: dict) -> str:
    """Take the lease if the host still is as the plan was made on."""
    taken = lease.acquire(layout, claim)
    try:
        compare(layout, expect)
        switch.set_up(layout)
    except MaestroError:
        lease.release(layout, taken.token)
        raise
    return taken.token


def compare(layout: Layout, expect: dict) -> None:
    """Refuse a plan that was made on another release or on other containers."""
    found = sorted(str(item["Id"]) for item in containers.of_stack(Engine(), layout.stack))
    if layout.current_id() != expect["release"] or found != sorted(expect["containers"]):
        raise MaestroError(
            f"{layout.stack} changed on this host since the plan was made",
            fix="deploy again: the new plan is made on what is there now",
        )


if __name__ == "__main__":
    main()

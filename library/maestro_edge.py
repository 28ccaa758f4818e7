"""Ansible module: have the wanted edge running, see `maestro.host.edge_proxy`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import edge, edge_proxy

DOCUMENTATION = r"""
module: maestro_edge
short_description: Run the edge of a host
description:
  - A new one is started beside the old one, takes over when it follows all routes, and the old
    one finishes what it began. Its static configuration stands in /etc/maestro/edge/traefik.yml.
options:
  image:
    description: Image of Traefik; a new one is a new edge.
    type: str
    required: true
  uid:
    description: Account it runs as.
    type: int
    required: true
  grace:
    description: Seconds a replaced one gets to finish its requests.
    type: int
    required: true
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
attributes:
  check_mode: {support: full, description: Says whether there would be a new edge.}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Run the edge
  maestro_edge:
    image: traefik:v3.7.15
    uid: 65532
    grace: 60
    root: /opt/maestro
"""
RETURN = r"""
{}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
            "grace": {"type": "int", "required": True},
            "root": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        static = (edge.DIRECTORY / "traefik.yml").read_text(encoding="utf-8")
        wish = edge_proxy.Wish(given["image"], given["uid"], static, given["grace"])
        if not module.check_mode:
            # Other settings make other routes out of the same assignment.
            edge.sync(Path(given["root"]))
        changed = edge_proxy.ensure(wish, check=module.check_mode)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()

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
    one finishes what it began. Its files stand in /etc/maestro/edge; another certificate there is
    taken up at once.
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
  static:
    description: Traefik's static configuration, YAML; another one is a new edge.
    type: str
    required: true
  dynamic:
    description: Traefik's dynamic configuration beside the routes, YAML.
    type: str
    required: true
  settings:
    description: What the code on the host needs to know of its edge.
    type: dict
    required: true
  memory:
    description: MiB of memory it may take; its connections are bounded to what fits.
    type: int
    default: 1024
  metrics_password:
    description: Password of the account C(metrics), which may read the metrics; none without one.
    type: str
    default: ""
  root:
    description: Directory that holds the stacks on the host.
    type: path
    required: true
attributes:
  check_mode: {support: full, description: Says whether there would be a new edge.}
  diff_mode: {support: full}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Run the edge
  maestro_edge:
    image: traefik:v3.7.15
    uid: 65532
    grace: 60
    static: "{{ lookup('ansible.builtin.template', 'traefik.yml.j2') }}"
    dynamic: "{{ lookup('ansible.builtin.template', 'edge.yml.j2') }}"
    settings: {api_port: 8079, hosts: [], https_port: 443, redirect_https: true}
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
            "static": {"type": "str", "required": True},
            "dynamic": {"type": "str", "required": True},
            "settings": {"type": "dict", "required": True},
            "memory": {"type": "int", "default": 1024},
            "metrics_password": {"type": "str", "default": "", "no_log": True},
            "root": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    root = Path(given.pop("root"))
    wish = edge_proxy.Wish(**given)
    try:
        diff = edge_proxy.configure(wish, check=module.check_mode)
        if not module.check_mode:
            # Other settings make other routes out of the same assignment.
            edge.sync(root)
        changed = edge_proxy.ensure(wish, check=module.check_mode)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed or bool(diff), diff=diff)


if __name__ == "__main__":
    main()

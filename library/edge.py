"""Ansible module: have the wanted edge running, see `maestro.host.edge_proxy`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge
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
  acme_environment:
    description: What Traefik shows the provider of DNS that proves names; files on the host.
    type: dict
    default: {}
  metrics_password:
    description: Password of the account C(metrics), which may read the metrics; none without one.
    type: str
    default: ""
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Says whether there would be a new edge.}
  diff_mode: {support: full, description: Shows what is written anew.}
"""
EXAMPLES = r"""
- name: Run the edge
  maestro.stacks.edge:
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

from ansible_collections.maestro.stacks.plugins.module_utils import work
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.host import provisioning

if __name__ == "__main__":
    work.run(provisioning.run_edge, provisioning.EDGE)

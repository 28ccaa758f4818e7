"""Ansible module: the lab, this machine and the lab's hosts, see `maestro.machine.lab_info`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_info
short_description: Read what the lab has and what keeps this machine from running it
description:
  - Changes nothing. One call returns the settings of this checkout's lab, every problem
    of the machine, and the hosts that exist with their ports and public host keys.
options:
  checkout: {type: path, required: true, description: Root of the checkout the lab belongs to.}
  remembered: {type: dict, description: The settings this checkout remembers.}
  hosts: {type: list, elements: dict, required: true, description: The hosts of the lab.}
  image_context: {type: path, required: true, description: Directory the host image is built from.}
  everything:
    description: Read all containers and volumes of the checkout, not those of O(hosts) alone.
    type: bool
    default: false
  programs: {type: dict, default: {}, description: Programs needed here, each with its package.}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: The Maestro authors (!UNKNOWN)
"""
EXAMPLES = r"""
- name: Read the state of the lab
  maestro.stacks.lab_info:
    checkout: /srv/maestro
    remembered: {name: maestro, port_offset: 0}
    image_context: /srv/maestro/docker/lab/host
    hosts: [{name: staging-1, ports: {ssh: 2201}}]
"""
RETURN = r"""
name: {type: str, returned: always, description: Name of the lab.}
port_offset: {type: int, returned: always, description: What was added to every default port.}
ports: {type: dict, returned: always, description: Ports on loopback, by host and service.}
engine: {type: str, returned: always, description: Version of the Engine that answers, or nothing.}
image_id: {type: str, returned: always, description: Tells the content of the image's directory.}
problems: {type: list, elements: str, returned: always, description: What has to be changed first.}
names: {type: dict, returned: always, description: By host, the name of its container.}
definitions: {type: dict, returned: always, description: By host, a hash of what it is made of.}
pending: {type: list, elements: str, returned: always, description: Hosts to be made or started.}
dead:
  type: list
  elements: str
  returned: always
  description: Running hosts whose ports on this machine do not listen.
containers: {type: dict, returned: always, description: The hosts that exist, by container name.}
volumes: {type: list, elements: str, returned: always, description: The volumes of the hosts.}
keys:
  type: dict
  returned: always
  description: By running host, its public key as C(host) and the key it lets in as C(user).
"""

from ansible_collections.maestro.stacks.plugins.module_utils import work
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.machine import lab_info

if __name__ == "__main__":
    work.run(lab_info.read, lab_info.ARGUMENTS)

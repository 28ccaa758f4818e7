#!/usr/bin/python
"""Ansible module: reads the lab's settings, the machine and the lab's hosts in one call."""

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
"""

EXAMPLES = r"""
- name: Read the state of the lab
  lab_info:
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

import os  # noqa: E402
from pathlib import Path  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.maestro.machine import lab  # noqa: E402


def main() -> None:
    """Read, judge, and return."""
    module = AnsibleModule(
        argument_spec={
            "checkout": {"type": "path", "required": True},
            "remembered": {"type": "dict"},
            "hosts": {"type": "list", "elements": "dict", "required": True},
            "image_context": {"type": "path", "required": True},
            "everything": {"type": "bool", "default": False},
            "programs": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    wanted, problems = lab.settings(given["hosts"], os.environ, given["remembered"])
    names = {host["name"]: lab.container_name(wanted.name, host) for host in given["hosts"]}
    machine = lab.read_machine(given["programs"])
    everything = given["everything"] and machine["engine"]
    found = lab.read_names(given["checkout"]) if everything else list(names.values())
    containers = lab.read_containers(found) if machine["engine"] else {}
    problems += lab.machine_problems(machine, need_disk=not containers)
    problems += lab.lab_problems(wanted, names, given["checkout"], containers, lab.port_busy)
    image_id = lab.content_id(Path(given["image_context"]))
    definitions = {
        host["name"]: lab.definition(host, wanted.ports.get(host["name"], {}), image_id)
        for host in given["hosts"]
    }
    running = {host: n for host, n in names.items() if containers.get(n, {}).get("running")}
    dead = lab.dead(names, wanted.ports, containers, lab.port_busy)
    module.exit_json(
        changed=False,
        name=wanted.name,
        port_offset=wanted.port_offset,
        ports=wanted.ports,
        engine=machine["engine"],
        problems=problems,
        image_id=image_id,
        names=names,
        definitions=definitions,
        pending=sorted({*lab.pending(names, definitions, containers), *dead}),
        dead=dead,
        containers=containers,
        volumes=lab.read_volumes(given["checkout"], None if everything else found),
        keys={host: lab.read_keys(name) for host, name in running.items()},
    )


if __name__ == "__main__":
    main()

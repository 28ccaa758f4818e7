"""Ansible module: the configuration of the Engine's daemon, see `maestro.host.daemon`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon
short_description: Have the Engine run with a daemon.json, and what ran before it
description:
  - Asks what a new file would meet on the host (flags of the service, a Swarm, other data), writes
    it, restarts the Engine and starts what does not run any more.
  - Where the Engine or a container does not come up, the old file is put back.
options:
  state:
    description:
      - V(asked) only says what cannot work, and what runs. V(present) makes the change. V(running)
        starts what is named by O(running) and does not run.
    type: str
    choices: [asked, present, running]
    default: present
  content:
    description: The whole text of the file.
    type: str
    default: ""
  timeout:
    description: Seconds in which the Engine has to answer.
    type: float
    default: 60
  accept_other_data:
    description: Whether the Engine may look for its containers and images elsewhere.
    type: bool
    default: false
  running:
    description: The containers that ran before, as V(asked) answered them.
    type: list
    elements: dict
    default: []
attributes:
  check_mode: {support: full, description: Says what cannot work and shows the difference.}
  diff_mode: {support: full, description: Shows the file before and after.}
author: The Maestro authors (!UNKNOWN)
"""
EXAMPLES = r"""
- name: Configure the Engine
  maestro.stacks.daemon:
    content: |
      {"live-restore": true}
"""
RETURN = r"""
running: {description: The containers that run before a change., returned: asked, type: list}
started: {description: Containers that were started again., returned: success, type: list}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import work
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.host import provisioning

if __name__ == "__main__":
    work.run(provisioning.run_daemon, provisioning.DAEMON)

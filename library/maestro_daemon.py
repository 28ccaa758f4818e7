"""Ansible module: the configuration of the Engine's daemon, see `maestro.host.daemon`."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError, raise_all
from ansible.module_utils.maestro.host import daemon
from ansible.module_utils.maestro.host import daemon_containers as containers
from ansible.module_utils.maestro.host.engine import Engine

DOCUMENTATION = r"""
module: maestro_daemon
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
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Configure the Engine
  maestro_daemon:
    content: |
      {"live-restore": true}
"""
RETURN = r"""
running: {description: The containers that run before a change., returned: asked, type: list}
started: {description: Containers that were started again., returned: success, type: list}
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "default": "present",
                "choices": ["asked", "present", "running"],
            },
            "content": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 60},
            "accept_other_data": {"type": "bool", "default": False},
            "running": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    engine = Engine()
    wish = daemon.Wish(given["content"], given["timeout"], given["accept_other_data"])
    try:
        if given["state"] == "running":
            ran = [containers.Running(**item) for item in given["running"]]
            started = [] if module.check_mode else containers.keep_running(engine, ran, kept=False)
            module.exit_json(changed=bool(started), started=started)
        if given["state"] == "asked" or module.check_mode:
            if given["content"]:
                raise_all(daemon.problems(wish, daemon.look(), engine))
            before = Path(daemon.FILE).read_text() if daemon.FILE.exists() else ""
            changed = given["state"] == "present" and before != wish.text
            ran_now = [vars(item) for item in containers.running_or_none(engine)]
            module.exit_json(
                changed=changed, running=ran_now, diff=_diff(before, wish, changed=changed)
            )
        done = daemon.apply(wish, daemon.look(), engine)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=done.changed,
        started=done.started,
        diff=_diff(done.before, wish, changed=done.before != wish.text),
    )


def _diff(before: str, wish: daemon.Wish, *, changed: bool) -> dict[str, str]:
    if not changed:
        return {}
    path = str(wish.file)
    return {
        "before": before,
        "after": wish.text,
        "before_header": path,
        "after_header": path,
    }


if __name__ == "__main__":
    main()

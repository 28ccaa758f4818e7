"""A step of a play as an Ansible module, for a host that has no program of ours, or another one."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.host import steps


def run(name: str) -> None:
    """Take the step that has the module's name, and answer what it returns."""
    step = steps.STEPS[name]
    module = AnsibleModule(argument_spec=step.specification(), supports_check_mode=step.reads)
    answer = steps.take(name, module.params)
    if answer.get("failed"):
        module.fail_json(**{key: value for key, value in answer.items() if key != "failed"})
    module.exit_json(**answer)

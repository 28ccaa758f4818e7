"""A function as an Ansible module, for what no step of a play on a host is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.errors import MaestroError


def run(
    work: Callable[[Mapping[str, Any], bool], dict[str, Any]],
    arguments: Mapping[str, Mapping[str, Any]],
) -> None:
    """Answer what ``work`` returns for the parameters; its second argument asks for a look alone.

    ``arguments`` are an Ansible argument spec.
    """
    module = AnsibleModule(
        argument_spec={name: dict(given) for name, given in arguments.items()},
        supports_check_mode=True,
    )
    try:
        answer = work(module.params, module.check_mode)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)

"""What every module of a deploy shares: its stack's place on the host, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host.layout import Layout

STACK = {
    "root": {"type": "path", "required": True},
    "stack": {"type": "str", "required": True},
}


def run(
    arguments: dict[str, dict[str, Any]],
    work: Callable[[Layout, dict[str, Any]], dict[str, Any]],
    *,
    check_mode: bool = False,
) -> None:
    """Do ``work`` with the stack's layout and the parameters, and answer what it returns.

    A `MaestroError` becomes the module's failure, in its own words. ``check_mode`` says that
    the module changes nothing in any mode.
    """
    module = AnsibleModule(argument_spec={**STACK, **arguments}, supports_check_mode=check_mode)
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    try:
        answer = work(layout, module.params)
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)

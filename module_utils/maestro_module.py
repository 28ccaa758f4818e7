"""What every module of a deploy shares: its stack's place, its lease, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import lease
from ansible.module_utils.maestro.host.layout import Layout

STACK = {
    "root": {"type": "path", "required": True},
    "stack": {"type": "str", "required": True},
}
LEASE = {"lease": {"type": "str", "required": True}}


def run(
    arguments: dict[str, dict[str, Any]],
    work: Callable[[Layout, dict[str, Any]], dict[str, Any]],
    *,
    last: bool = False,
    reads: bool = False,
) -> None:
    """Do ``work`` with the stack's layout and the parameters, and answer what it returns.

    The lease is kept for as long as the work takes, and given back after the ``last`` step;
    ``check`` among the parameters raises when it was lost. A module that only ``reads`` needs
    none, and runs in check mode. A `MaestroError` becomes the module's failure, in its own words.
    """
    spec = {**STACK, **({} if reads else LEASE), **arguments}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=reads)
    layout = Layout(Path(module.params["root"]), module.params["stack"])
    try:
        if reads:
            answer = work(layout, module.params)
        else:
            with lease.kept(layout, module.params["lease"]) as check:
                answer = work(layout, {**module.params, "check": check})
        if last:
            lease.release(layout, module.params["lease"])
    except MaestroError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=str(
                MaestroError(
                    f"{error.strerror}: {error.filename}" if error.strerror else str(error),
                    fix="look at the disk and the rights of this path on the host",
                )
            )
        )
    module.exit_json(**answer)

"""Give secrets new values where Maestro keeps them, and take them back when they do not serve."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from maestro import controller, rotation
from maestro.errors import MaestroError
from maestro.secrets import VaultSource


class ActionModule(ActionBase):
    """``state: made`` chooses and makes; ``settled`` ends it by how the hosts fared."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task; no value is in it."""
        result = super().run(tmp, task_vars)
        args = self._task.args
        try:
            source = controller.open_secrets(args["request"], self._loader)
            vault = None
            if isinstance(source, VaultSource):
                path = source.files[-1]
                # Ansible's loader has no public way to the passwords it was given.
                vault = rotation.Vault(path, source.title, self._loader._vault.secrets)  # noqa: SLF001
            if args["state"] == "made":
                result.update(self._make(args, vault))
            elif vault is not None:
                keep = rotation.serves(args["plan"], args["hosts"], (task_vars or {})["hostvars"])
                result["changed"] = vault.settle(keep=keep)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from error
        except AnsibleError as error:
            raise AnsibleActionFail(f"the vault cannot be used: {type(error).__name__}") from None
        return result

    def _make(self, args: dict[str, Any], vault: rotation.Vault | None) -> dict[str, Any]:
        named = [name for name in str(args["names"]).replace(",", " ").split() if name]
        own = vault.values() if vault is not None else None
        where = vault.where if vault is not None else ""
        choice = rotation.choose(named, args["request"]["secret_names"], own, where)
        writes = vault is not None and bool(choice.fresh) and not self._task.check_mode
        if vault is not None and writes:
            vault.renew(choice.fresh)
        return {**asdict(choice), "named": named, "changed": writes}

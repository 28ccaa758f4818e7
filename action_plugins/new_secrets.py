"""Give secrets new values where Maestro keeps them, and take them back when they do not serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleError

from maestro import records
from maestro.errors import MaestroError
from maestro.plan import rotation
from maestro.play import controller, registered
from maestro.play.action import LocalAction
from maestro.secrets import renewal, vault_file
from maestro.secrets.encrypted import VaultSource


class ActionModule(LocalAction):
    """``state`` by turns: ``chosen``, ``made`` for a round, ``settled`` by how the hosts fared."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task; no value is in it."""
        try:
            source = controller.open_secrets(args["request"], self._loader)
            vault = None
            if isinstance(source, VaultSource):
                path = source.files[-1]
                # Ansible's loader has no public way to the passwords it was given.
                vault = vault_file.Vault(path, source.title, self._loader._vault.secrets)  # noqa: SLF001
            if args["state"] == "chosen":
                return _choose(args, vault, task_vars)
            if args["state"] == "made":
                return self._make(args, vault)
            hostvars = task_vars["hostvars"]
            kept = controller.new_values_serve(args["plan"], args["hosts"], hostvars)
            return {"kept": kept, "changed": vault is not None and vault.settle(keep=kept)}
        except AnsibleError as error:
            raise MaestroError(f"the vault cannot be used: {type(error).__name__}") from None

    def _make(self, args: dict[str, Any], vault: vault_file.Vault | None) -> dict[str, Any]:
        choice = renewal.of_round(args["chosen"], args["names"])
        writes = vault is not None and bool(choice.fresh) and not self._task.check_mode
        if vault is not None and writes:
            vault.renew(choice.fresh)
        return {**asdict(choice), "changed": writes}


def _choose(
    args: dict[str, Any], vault: vault_file.Vault | None, task_vars: Mapping[str, Any]
) -> dict[str, Any]:
    named = [name for name in str(args["names"]).replace(",", " ").split() if name]
    own = vault.values() if vault is not None else None
    where = vault.where if vault is not None else ""
    choice = renewal.choose(named, args["request"]["secret_names"], own, where)
    found = {host: registered.of(task_vars, host, args["states"]) or {} for host in args["hosts"]}
    states = controller.whole(controller.reached(found), records.History)
    rounds = rotation.rounds(choice, named, states)
    controller.check_one_plan(str(args["approved_plan"]), [", ".join(names) for names in rounds])
    return {**asdict(choice), "rounds": rounds}

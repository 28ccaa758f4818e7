"""Check the approval of what is done to hosts at once: provisioning, the maintenance page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.utils.display import Display

from maestro.play import operation
from maestro.play.action import StatesAction


class ActionModule(StatesAction):
    """``states`` are answers of `identity`; the answer has an approval for each host."""

    def answer(
        self,
        states: Mapping[str, Any],
        lost: Sequence[str],
        hostvars: Mapping[str, Any],  # noqa: ARG002 -- what every answer may use
    ) -> dict[str, Any]:
        """The ``approvals`` by host; `MaestroError` where a host asks for one and has none."""
        args = self._task.args
        document = operation.document(args, states)
        asking = any(state["identity"].get("approval") for state in states.values())
        if asking:
            Display().display(f"{document.text}\nplan {document.hash[:12]}")
        dry = self._task.check_mode
        found = operation.approved(document, args["guard"], states, lost, dry=dry)
        return {"approvals": {host: {**document.claim(host), **found} for host in states}}

"""Show what happened to stacks on all hosts, by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.utils.display import Display

from maestro.play.action import StatesAction
from maestro.report import timeline


class ActionModule(StatesAction):
    """Print one table for all hosts; changes nothing."""

    def answer(
        self,
        states: Mapping[str, Any],
        lost: Sequence[str],
        hostvars: Mapping[str, Any],  # noqa: ARG002 -- what every answer may use
    ) -> dict[str, Any]:
        """Nothing but what is shown."""
        events = {host: state["events"] for host, state in states.items()}
        Display().display(timeline.table(events, lost))
        return {}

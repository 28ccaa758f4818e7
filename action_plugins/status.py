"""Show what runs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ansible.utils.display import Display

from maestro.host import reach
from maestro.play.action import StatesAction
from maestro.report import status

PORTS = {"http": 80, "https": 443}


def reached(urls: dict[str, str]) -> dict[str, str]:
    """Each host's URL, with what is wrong where this machine gets no connection to it."""

    def ask(url: str) -> str:
        found = urlsplit(url)
        if not found.hostname:
            return url
        why = reach.refused((found.hostname, found.port or PORTS.get(found.scheme, 443)))
        return f"{url} (NOT REACHED from here: {why})" if why else url

    with ThreadPoolExecutor(max(len(urls), 1)) as pool:
        return dict(zip(urls, pool.map(ask, urls.values()), strict=True))


class ActionModule(StatesAction):
    """Print one table for all hosts; changes nothing."""

    def answer(
        self, states: Mapping[str, Any], lost: Sequence[str], hostvars: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Nothing but what is shown."""
        stack = str(self._task.args["stack"])
        urls = reached({host: str(hostvars[host].get("maestro_url", "")) for host in states})
        shown = (
            status.table(stack, states, urls, lost)
            if stack
            else status.everything(states, urls, lost)
        )
        Display().display(shown)
        return {}

"""Show what runs where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from maestro import controller, status
from maestro.errors import MaestroError
from maestro.host import reach

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


class ActionModule(ActionBase):
    """Print one table for all hosts; changes nothing."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the task."""
        result = super().run(tmp, task_vars)
        hostvars = (task_vars or {})["hostvars"]
        args = self._task.args
        found = {host: hostvars[host].get(args["states"], {}) for host in args["hosts"]}
        try:
            states = controller.reached(found)
        except MaestroError as error:
            raise AnsibleActionFail(str(error)) from None
        urls = reached({host: str(hostvars[host].get("maestro_url", "")) for host in states})
        lost = [host for host in found if host not in states]
        shown = (
            status.table(str(args["stack"]), states, urls, lost)
            if args["stack"]
            else status.everything(states, urls, lost)
        )
        Display().display(shown)
        return result

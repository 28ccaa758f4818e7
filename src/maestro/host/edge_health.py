"""The edge's health: one that runs and answers nobody is started again.

The Engine starts an edge that ended, not one that hangs. The agent asks it as a client does, so
its image needs no program for that.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable

from ..errors import MaestroError
from . import edge, edge_proxy, locks
from .engine import Engine

EVERY = 5.0  # seconds between two looks
TIMEOUT = 10.0  # seconds an answer may take: a busy edge is not a sick one
FAILURES = 3  # looks in a row without an answer
GRACE = 5  # seconds a sick edge gets to finish
PAUSE = 60.0  # seconds after a restart until it is looked at again
WEB = 80


def keep() -> None:
    """Look at the edge for as long as the agent runs."""
    look = Look()
    while True:
        time.sleep(look.once())


class Look:
    """Counts the looks in a row that failed."""

    def __init__(self, restart: Callable[[str], bool] | None = None) -> None:
        self._restart = restart or restarted
        self._failed = 0

    def once(self) -> float:
        """Look once, and restart the edge where it is time to; the seconds until the next look."""
        try:
            found = trouble() if edge.installed() else ""
            self._failed = self._failed + 1 if found else 0
            if self._failed >= FAILURES and self._restart(found):
                self._failed = 0
                return PAUSE
        except (MaestroError, OSError) as problem:
            _say(str(problem))
        return EVERY


def trouble() -> str:
    """What is wrong with the edge; empty when it answers a ping and a client."""
    api = int(edge.settings()["api_port"])
    return _ask(api, "/ping", expect=200) or _ask(WEB, "/")


def _ask(port: int, path: str, expect: int = 0) -> str:
    """Empty when there is an answer, with this status if one is expected."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer at port {port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return f"status {status} at port {port}{path}" if expect not in (0, status) else ""


def restarted(why: str) -> bool:
    """Start the edge's only running container again; whether there was one to start.

    While a new edge takes over nothing is done, and one that somebody stopped stays so.
    """
    engine = Engine()
    try:
        with edge.locked(0):
            running = [i for i in edge_proxy.of_host(engine) if i["State"] == "running"]
            if len(running) != 1:
                return False
            _say(f"the edge is restarted: {why}")
            path = f"/containers/{running[0]['Id']}/restart"
            status, body = engine.request("POST", path, {"t": str(GRACE)})
    except locks.Busy:
        return False
    if status >= 400:
        raise MaestroError(
            f"the edge cannot be restarted: {body.decode('utf-8', 'replace').strip()}",
            where=edge_proxy.NAME,
            fix="maestro.stacks.provision makes a new one",
        )
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 -- for the journal

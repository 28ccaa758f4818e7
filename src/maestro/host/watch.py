"""What the agent does all the time: routes and borrowers follow containers, the page is there."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import MaestroError
from . import borrowed, edge, edge_health, edge_traefik, page, telemetry, watchdog
from .engine import Engine
from .labels import PROJECT

QUIET = 30.0  # seconds without an event after which the routes are looked at anyway
PAUSE = 1.0  # seconds between two tries to reach the Engine
# What can change who answers: a container that starts has a new address.
FILTERS = {
    "type": ["container"],
    "label": [PROJECT],
    "event": ["start", "die", "destroy", "health_status", "pause", "unpause"],
}


def main(root: Path = Path("/opt/maestro"), mode: str = watchdog.STACKS) -> None:
    """Watch until the service is stopped; ``mode`` is one of `watchdog.MODES`."""
    threading.Thread(target=page.Server(*_page_address()).run, daemon=True).start()
    threading.Thread(target=edge_health.keep, daemon=True).start()
    threading.Thread(target=telemetry.keep, args=(root,), daemon=True).start()
    threading.Thread(target=watchdog.keep, args=(root, mode), daemon=True).start()
    while True:
        try:
            follow(root, Engine())
        except MaestroError as problem:
            print(problem, file=sys.stderr, flush=True)  # noqa: T201 -- for the journal
            time.sleep(PAUSE)


def follow(root: Path, engine: Engine) -> None:
    """Bring the routes up to date, now and after each event, until the Engine is quiet."""
    began = time.time()
    _look(root, engine)
    for _ in engine.events(FILTERS, since=began, quiet=QUIET):
        _look(root, engine)


def _look(root: Path, engine: Engine) -> None:
    edge.sync(root)
    borrowed.repair(root, engine)


def _page_address() -> tuple[str, int]:
    found = urlsplit(edge_traefik.PAGE)
    return str(found.hostname), int(found.port or 80)

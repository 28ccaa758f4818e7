"""What a stack says of the watchdog: ``x-maestro.watchdog``, see `maestro.host.watchdog`.

``false`` for the whole stack, or a mapping of services to ``false`` or ``{restarts: N}``: at most
so many within an hour. What is not named is watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import Extension, WatchdogFacts

KEY = "watchdog"
NEVER = 0


def facts(extension: Extension, service: str) -> WatchdogFacts:
    """What a manifest records of a service: restarts within an hour; nothing where none is said."""
    said = extension.get(KEY, True)
    if isinstance(said, dict):
        said = said.get(service, True)
    if isinstance(said, dict):
        return {"watchdog": int(said["restarts"])}
    return {} if said else {"watchdog": NEVER}

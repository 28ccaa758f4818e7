"""What the watchdog did: kept in a file, so that a new start of the agent counts on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .layout import write_atomically

FILE = Path("/var/lib/maestro/watchdog.json")
_SEPARATOR = "/"


@dataclass
class Entry:
    """One container. ``restarts`` are times (Unix), oldest first.

    ``until`` is when the next may be, for one that was given up; 0 for any other.
    """

    id: str
    stack: str
    service: str
    restarts: list[float] = field(default_factory=list)
    until: float = 0

    @property
    def given_up(self) -> bool:
        """Whether it was restarted as often as it may be."""
        return self.until > 0

    @property
    def left_until(self) -> str:
        """When the next restart may be, such as ``12:30 UTC``; empty for one not given up."""
        return time.strftime("%H:%M UTC", time.gmtime(self.until)) if self.given_up else ""


class Memory:
    """The containers that were unhealthy lately, and how many restarts there were in all."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._totals: dict[str, int] = {}
        self._load()

    @property
    def directory(self) -> Path:
        """Where the file stands."""
        return self._path.parent

    @property
    def entries(self) -> dict[str, Entry]:
        """By the names of containers."""
        return dict(self._entries)

    @property
    def totals(self) -> dict[tuple[str, str], int]:
        """Restarts by stack and service, ever."""
        found = {}
        for key, number in self._totals.items():
            stack, _, service = key.partition(_SEPARATOR)
            found[(stack, service)] = number
        return found

    def of(self, name: str, container: str, group: tuple[str, str]) -> Entry:
        """What is known of a container; one that was replaced begins anew."""
        with self._lock:
            found = self._entries.get(name)
            if found is None or found.id != container:
                found = Entry(container, *group)
            return found

    def add(
        self, name: str, container: str, group: tuple[str, str], now: float, oldest: float
    ) -> int:
        """Count a restart; how many there were since ``oldest``, with this one."""
        entry = self.of(name, container, group)
        with self._lock:
            entry.restarts = [*(at for at in entry.restarts if at > oldest), now]
            entry.until = 0
            self._entries[name] = entry
            key = _SEPARATOR.join(group)
            self._totals[key] = self._totals.get(key, 0) + 1
            self._save()
            return len(entry.restarts)

    def give_up(self, name: str, until: float) -> None:
        """A container is left as it is until then."""
        with self._lock:
            self._entries[name].until = until
            self._save()

    def forget(self, unhealthy: Collection[str], oldest: float) -> None:
        """Forget what is healthy and was not restarted since ``oldest``."""
        with self._lock:
            gone = [
                name
                for name, entry in self._entries.items()
                if name not in unhealthy and not any(at > oldest for at in entry.restarts)
            ]
            well = [
                entry
                for name, entry in self._entries.items()
                if name not in unhealthy and entry.given_up
            ]
            for name in gone:
                del self._entries[name]
            for entry in well:
                entry.until = 0
            if gone or well:
                self._save()

    def _load(self) -> None:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            self._entries = {
                str(name): Entry(**entry) for name, entry in document["containers"].items()
            }
            self._totals = {str(name): int(count) for name, count in document["totals"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            # None yet, or one that was cut short: counting begins anew.
            self._entries, self._totals = {}, {}

    def _save(self) -> None:
        document = {
            "containers": {name: asdict(entry) for name, entry in self._entries.items()},
            "totals": self._totals,
        }
        write_atomically(self._path, json.dumps(document, indent=2) + "\n", 0o600)

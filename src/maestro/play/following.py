"""Logs that are followed: asked for again and again, each line shown once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

PAUSE = 2.0  # seconds between two looks
# Each look begins so long before the last line seen: containers are asked one after the other.
OVERLAP = timedelta(seconds=5)
_STAMP = re.compile(r"(?<=\| )(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.?\d*Z ?")


class Follower:
    """Tells the new lines of each look, which Compose writes with time stamps."""

    def __init__(self, since: str, tail: str) -> None:
        self.since, self.tail = since, tail
        self._seen: dict[str, str] = {}  # lines with their times, of the last look

    def new(self, text: str) -> str:
        """What of a look was not shown before, without the time stamps."""
        found = {line: self._at(line) for line in text.splitlines()}
        fresh = [line for line in found if line not in self._seen]
        newest = max((at for at in found.values() if at), default="")
        if newest:
            start = datetime.fromisoformat(newest) - OVERLAP
            self.since, self.tail = f"{start.isoformat()}Z", "all"
            kept = {**self._seen, **found}
            self._seen = {line: at for line, at in kept.items() if at >= start.isoformat()}
        return "\n".join(_STAMP.sub("", line, count=1) for line in fresh)

    @staticmethod
    def _at(line: str) -> str:
        found = _STAMP.search(line)
        return found[1] if found else ""

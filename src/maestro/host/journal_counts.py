"""How many events of each result a history has: counted on from where the last look ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# Words that purposes begin with, and what the change is called; others are called so themselves.
KINDS = {"going": "rollback"}


class Last(NamedTuple):
    """When the last change of a kind ended, ``YYYY-MM-DDTHH:MM:SSZ``, and how many seconds it took.

    ``seconds`` is empty where it is not known.
    """

    at: str
    seconds: str


@dataclass
class _Read:
    """What is counted of one file: up to ``offset`` bytes of the file with this ``inode``."""

    inode: int = 0
    offset: int = 0
    results: dict[str, int] = field(default_factory=dict)
    last: dict[tuple[str, str], Last] = field(default_factory=dict)


class Counts:
    """The counts of files; one that was shortened or replaced is counted anew."""

    def __init__(self) -> None:
        self._files: dict[Path, _Read] = {}

    def of(self, path: Path) -> dict[str, int]:
        """Result -> number of events; nothing for a file that cannot be read."""
        try:
            with path.open("rb") as file:
                facts = path.stat()
                known = self._files.get(path)
                if known is None or known.inode != facts.st_ino or facts.st_size < known.offset:
                    known = self._files[path] = _Read(facts.st_ino)
                file.seek(known.offset)
                for line in file:
                    # A line without its end is still being written.
                    if not line.endswith(b"\n"):
                        break
                    known.offset += len(line)
                    event = _event(line)
                    if result := str(event.get("result", "")):
                        known.results[result] = known.results.get(result, 0) + 1
                        known.last[_kind(event), result] = Last(
                            str(event.get("at", "")), str(event.get("seconds", ""))
                        )
        except OSError:
            return {}
        return dict(known.results)

    def last(self, path: Path) -> dict[tuple[str, str], Last]:
        """(kind of change, result) -> the last one of `of`."""
        known = self._files.get(path)
        return dict(known.last) if known else {}


def _event(line: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        # A line that a crash cut short.
        return {}
    return found if isinstance(found, dict) else {}


def _kind(event: Mapping[str, object]) -> str:
    """The kind of a change by the first word of its purpose, such as ``deploy of v2``."""
    word = str(event.get("what", "")).partition(" ")[0]
    return KINDS.get(word, word)

"""How many events of each result a history has: counted on from where the last look ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class _Read:
    """What is counted of one file: up to ``offset`` bytes of the file with this ``inode``."""

    inode: int = 0
    offset: int = 0
    results: dict[str, int] = field(default_factory=dict)


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
                    if result := _result(line):
                        known.results[result] = known.results.get(result, 0) + 1
        except OSError:
            return {}
        return dict(known.results)


def _result(line: bytes) -> str:
    try:
        return str(json.loads(line)["result"])
    except (ValueError, TypeError, KeyError):
        # A line that a crash cut short.
        return ""

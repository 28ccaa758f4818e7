"""Text in columns, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row; each column as wide as its longest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def ago(time: str) -> str:
    """How long ago a time (UTC, ``YYYY-MM-DDTHH:MM:SS``...) was, roughly."""
    then = datetime.fromisoformat(time[:19]).replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - then).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"

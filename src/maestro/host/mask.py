"""Keep a stack's secrets out of what a host reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layout import Layout

if TYPE_CHECKING:
    from ..redaction import Redactor


def redactor(layout: Layout) -> Redactor:
    """A redactor that knows every version of every secret of the stack on this host."""
    # Its patterns take longer to compile than most steps take that never show a line.
    from ..redaction import Redactor  # noqa: PLC0415

    return Redactor(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(layout.secrets.glob("*/*/*"))
    )

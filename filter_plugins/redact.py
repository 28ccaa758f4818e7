"""Filters that mask secrets; what they do stands in maestro.redaction and maestro.play.output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maestro.play import output


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"redact": output.redact, "redact_label": output.redact_label}

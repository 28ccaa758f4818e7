"""Services that do something once and end: with 0 they are done.

Which are done is written down beside the stack's releases: a container that ended may go (with
``docker system prune``, or when a release that failed is put back), and its work stays done.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .containers import of_stack
from .engine import Engine
from .labels import HASH_LABEL, SERVICE
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import ServiceFacts


@dataclass(frozen=True)
class Job:
    """What the manifest of a release records of a job; `maestro.stack.jobs` decides which are some.

    ``waited``: it runs to its end before what comes after it, within ``limit`` seconds (0: the
    time a service has to start). Any other is watched for ``patience`` seconds (0: as long as any
    container without a health check), in which it may end.
    """

    waited: bool = False
    limit: float = 0
    patience: float = 0

    @classmethod
    def of(cls, service: Mapping[str, Any]) -> Job | None:
        """The job that a service of a manifest is, or None; older manifests know none."""
        found = service.get("job")
        return cls(**found) if found else None


def ended_well(state: Mapping[str, Any]) -> bool:
    """Whether the state of an inspected container says that it ran and ended with 0."""
    return state["Status"] == "exited" and int(state.get("ExitCode", 1)) == 0


def remembered(layout: Layout) -> dict[str, str]:
    """The definition's hash of each job that was done, by its service."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(_file(layout).read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in found.items()}
    return {}


def remember(layout: Layout, engine: Engine, services: Mapping[str, ServiceFacts]) -> None:
    """Write down which jobs of the running release are done, and forget all others."""
    before = remembered(layout)
    ended = done(of_stack(engine, layout.stack), services)
    after = {
        name: str(facts["hash"])
        for name, facts in services.items()
        if Job.of(facts) and (name in ended or before.get(name) == facts["hash"])
    }
    if after != before:
        write_atomically(_file(layout), json.dumps(after, indent=2, sort_keys=True) + "\n", 0o644)


def _file(layout: Layout) -> Path:
    return layout.home / "jobs.json"


def done(listed: Iterable[Mapping[str, Any]], services: Mapping[str, ServiceFacts]) -> set[str]:
    """Names of the jobs among ``services`` whose listed containers all ended well."""
    found: dict[str, list[bool]] = {}
    for item in listed:
        name = str(item["Labels"].get(SERVICE, ""))
        facts = services.get(name)
        if facts is not None and Job.of(facts):
            right = item["Labels"].get(HASH_LABEL) == facts["hash"]
            found.setdefault(name, []).append(right and listed_as_done(item))
    return {name for name, ended in found.items() if all(ended)}


def listed_as_done(item: Mapping[str, Any]) -> bool:
    """Whether the Engine's listing says that a container ended with 0."""
    return bool(item["State"] == "exited" and str(item.get("Status", "")).startswith("Exited (0)"))

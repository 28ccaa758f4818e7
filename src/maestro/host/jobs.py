"""Services that do something once and end: with 0 they are done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .engine import SERVICE


@dataclass(frozen=True)
class Job:
    """What the manifest of a release records of a job; `maestro.jobs` decides which are some.

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


def done(
    listed: Iterable[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]], label: str
) -> set[str]:
    """Names of the jobs among ``services`` whose listed containers all ended well.

    ``label`` is the one that holds a definition's hash.
    """
    found: dict[str, list[bool]] = {}
    for item in listed:
        name = str(item["Labels"].get(SERVICE, ""))
        facts = services.get(name)
        if facts is not None and Job.of(facts):
            right = item["Labels"].get(label) == facts["hash"]
            found.setdefault(name, []).append(right and listed_as_done(item))
    return {name for name, ended in found.items() if all(ended)}


def listed_as_done(item: Mapping[str, Any]) -> bool:
    """Whether the Engine's listing says that a container ended with 0."""
    return bool(item["State"] == "exited" and str(item.get("Status", "")).startswith("Exited (0)"))

"""The score of containers against a benchmark, as an operator reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from . import cis
from .tables import columns

if TYPE_CHECKING:
    from ..records import EdgeOverview, Overview

HEADINGS = ("host", "service", "passed", "failed checks")


def shown(states: Mapping[str, Overview | EdgeOverview], of: str, *, advice: bool = True) -> str:
    """A line for each service of ``of`` with its score, and what to write for each failed check.

    Without ``advice`` only the titles of failed checks: nobody writes a file for it.

    ``states`` maps hosts to answers of `host.overview.read` with ``security``. A service that has
    several containers passes what all of them pass. Empty without containers.
    """
    found: dict[tuple[str, str], list[cis.Result]] = {}
    for host, state in states.items():
        for item in state["containers"]:
            if "runtime" in item:
                result = cis.judge(cis.Look.of(item["runtime"]))
                found.setdefault((host, str(item["service"])), []).append(result)
    if not found:
        return ""
    failed = {
        key: cis.in_order(number for result in results for number in result.failed)
        for key, results in found.items()
    }
    asked = {key: len(results[0].passed + results[0].failed) for key, results in found.items()}
    total, lost = sum(asked.values()), sum(map(len, failed.values()))
    head = (
        f"{of}: CIS Docker Benchmark v{cis.VERSION}, section 5 (containers): "
        f"{total - lost} of {total} checks passed ({100 * (total - lost) // total} %)"
    )
    rows = [
        (*key, f"{asked[key] - len(numbers)}/{asked[key]}", ", ".join(numbers) or "none")
        for key, numbers in sorted(failed.items())
    ]
    return "\n".join(
        [
            head,
            "",
            *columns([HEADINGS, *rows]),
            *_namespaces(states),
            *_what_to_write(failed, advice=advice),
        ]
    )


def _namespaces(states: Mapping[str, Overview | EdgeOverview]) -> Iterable[str]:
    """Hosts whose Engine gives containers users of their own: of the benchmark's section 2."""
    on = [
        host
        for host, state in sorted(states.items())
        if any(
            "runtime" in item and item["runtime"]["host"].get("userns")
            for item in state["containers"]
        )
    ]
    if on:
        yield ""
        yield f"2.9 Enable user namespace support: passed on {', '.join(on)}"


def _what_to_write(
    failed: Mapping[tuple[str, str], Iterable[str]], *, advice: bool
) -> Iterable[str]:
    readers: dict[str, set[str]] = {}
    for (_, service), numbers in failed.items():
        for number in numbers:
            readers.setdefault(number, set()).add(service)
    if readers:
        yield ""
    for number in cis.in_order(readers):
        check = cis.BY_NUMBER[number]
        yield f"{number} {check.title}"
        if advice:
            yield f"    {', '.join(sorted(readers[number]))}: {check.write}"

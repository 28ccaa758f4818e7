"""What a host's stacks are, as a file for node_exporter's textfile collector."""

from __future__ import annotations

import calendar
import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import MaestroError
from . import journal
from .exposition import COUNTER, GAUGE, Samples, family
from .journal_counts import Counts
from .layout import Layout, deployed, write_atomically
from .watchdog_memory import Memory

DIRECTORY = "metrics"  # beside the watchdog's memory
NAME = "maestro.prom"
EVERY = 60.0  # seconds between two looks where nothing else asks for one
_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"


def keep(root: Path, memory: Path) -> None:
    """Write them again and again, for as long as the agent runs."""
    counts = Counts()
    while True:
        write(root, Memory(memory), counts)
        time.sleep(EVERY)


def write(root: Path, memory: Memory, counts: Counts) -> None:
    """Bring the file up to date; a full disk is no reason to stop what else is done."""
    path = memory.directory / DIRECTORY / NAME
    text = render(root, memory, counts)
    with contextlib.suppress(OSError):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text, 0o644)
            path.parent.chmod(0o755)


def render(root: Path, memory: Memory, counts: Counts) -> str:
    """The metrics, in the text format; label values are names and versions, never settings."""
    entries = memory.entries.values()
    changes = list(_changes(root, counts))
    parts = [
        family(
            "maestro_release_info", GAUGE, "The release that serves of each stack.", _info(root)
        ),
        family(
            "maestro_release_timestamp_seconds",
            GAUGE,
            "When the release that serves was made.",
            _created(root),
        ),
        family(
            "maestro_changes_total",
            COUNTER,
            "Changes of a stack in this host's history, by their result.",
            changes,
        ),
        *_last(root, counts),
        family(
            "maestro_watchdog_restarts_total",
            COUNTER,
            "Restarts of unhealthy containers.",
            (
                ({"stack": stack, "service": service}, number)
                for (stack, service), number in sorted(memory.totals.items())
            ),
        ),
        family(
            "maestro_watchdog_given_up",
            GAUGE,
            "1 for a service that restarts did not help and that is left as it is.",
            sorted(
                (
                    ({"stack": entry.stack, "service": entry.service}, 1.0)
                    for entry in entries
                    if entry.given_up
                ),
                key=str,
            ),
        ),
    ]
    return "".join(parts)


def _info(root: Path) -> Samples:
    for layout, manifest in _running(root):
        yield (
            {
                "stack": layout.stack,
                "version": str(manifest.get("version", "")),
                "release": str(manifest.get("id", "")),
                "environment": str(manifest.get("environment", "")),
            },
            1,
        )


def _created(root: Path) -> Samples:
    for layout, manifest in _running(root):
        with contextlib.suppress(ValueError):
            at = calendar.timegm(time.strptime(str(manifest.get("created", "")), _WRITTEN))
            yield {"stack": layout.stack}, at


def _changes(root: Path, counts: Counts) -> Samples:
    for stack in journal.stacks(root):
        for result, number in sorted(counts.of(journal.file(Layout(root, stack))).items()):
            yield {"stack": stack, "result": result}, number


def _last(root: Path, counts: Counts) -> Iterable[str]:
    """When the last change of each kind ended and how long it took, once `_changes` has read."""
    ended, took = [], []
    for stack in journal.stacks(root):
        for (kind, result), last in sorted(counts.last(journal.file(Layout(root, stack))).items()):
            labels = {"stack": stack, "kind": kind, "result": result}
            with contextlib.suppress(ValueError):
                ended.append((labels, float(calendar.timegm(time.strptime(last.at, _WRITTEN)))))
            with contextlib.suppress(ValueError):
                took.append((labels, float(last.seconds)))
    when, long = "When the last change of a kind ended.", "How long it took on this host."
    yield family("maestro_change_timestamp_seconds", GAUGE, when, ended)
    yield family("maestro_change_duration_seconds", GAUGE, long, took)


def _running(root: Path) -> Iterable[tuple[Layout, Mapping[str, object]]]:
    for layout in deployed(root):
        with contextlib.suppress(MaestroError):
            manifest = layout.manifest(layout.current_id())
            if manifest:
                yield layout, manifest

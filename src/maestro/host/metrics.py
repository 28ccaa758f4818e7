"""What a host's stacks are, as a file for node_exporter's textfile collector.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import calendar
import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import MaestroError
from . import journal
from .journal_counts import Counts
from .layout import Layout, deployed, write_atomically
from .watchdog_memory import Memory

DIRECTORY = "metrics"  # beside the watchdog's memory
NAME = "maestro.prom"
EVERY = 60.0  # seconds between two looks where nothing else asks for one
_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"

_Samples = Iterable[tuple[Mapping[str, str], float]]


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
    parts = [
        _family(
            "maestro_release_info", "gauge", "The release that serves of each stack.", _info(root)
        ),
        _family(
            "maestro_release_timestamp_seconds",
            "gauge",
            "When the release that serves was made.",
            _created(root),
        ),
        _family(
            "maestro_changes_total",
            "counter",
            "Changes of a stack in this host's history, by their result.",
            _changes(root, counts),
        ),
        _family(
            "maestro_watchdog_restarts_total",
            "counter",
            "Restarts of unhealthy containers.",
            (
                ({"stack": stack, "service": service}, number)
                for (stack, service), number in sorted(memory.totals.items())
            ),
        ),
        _family(
            "maestro_watchdog_given_up",
            "gauge",
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


def _info(root: Path) -> _Samples:
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


def _created(root: Path) -> _Samples:
    for layout, manifest in _running(root):
        with contextlib.suppress(ValueError):
            at = calendar.timegm(time.strptime(str(manifest.get("created", "")), _WRITTEN))
            yield {"stack": layout.stack}, at


def _changes(root: Path, counts: Counts) -> _Samples:
    for stack in journal.stacks(root):
        for result, number in sorted(counts.of(journal.file(Layout(root, stack))).items()):
            yield {"stack": stack, "result": result}, number


def _running(root: Path) -> Iterable[tuple[Layout, Mapping[str, object]]]:
    for layout in deployed(root):
        with contextlib.suppress(MaestroError):
            manifest = layout.manifest(layout.current_id())
            if manifest:
                yield layout, manifest


def _family(name: str, kind: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(said)}"' for key, said in labels.items())
        lines.append(f"{name}{{{inside}}} {int(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

"""What happened to a stack on this host: kept beyond its releases, and beyond the stack itself.

One line of JSON for each event in ``ROOT/.history/STACK.jsonl``, newest last, for root alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import EventFacts

DONE, FAILED, REFUSED, PUT_BACK = "done", "failed", "refused", "put back"
LARGEST = 1 << 20  # bytes after which the older half is dropped
ALL = LARGEST  # more events than a file can hold
MESSAGE = 2000  # characters of a message that are kept


@dataclass(frozen=True)
class Event:
    """One event. ``at`` is a time in UTC, ``YYYY-MM-DDTHH:MM:SSZ``; ids and names may be empty.

    ``what`` is the purpose of the run, such as ``deploy of v2``; ``result`` is one of `DONE`,
    `FAILED`, `REFUSED` and `PUT_BACK`. ``release`` is the id of the release that the run brought
    or would have brought, ``before`` the id of the one that served. ``seconds`` is how long the
    run took on this host, where that is known.
    """

    stack: str
    what: str
    result: str
    by: str = ""
    approved_by: str = ""
    plan: str = ""
    release: str = ""
    before: str = ""
    message: str = ""
    at: str = ""
    seconds: str = ""


def write(layout: Layout, event: Event) -> None:
    """Add an event, with the time of now. A full disk loses the event and nothing else."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document = {**asdict(event), "at": now, "message": event.message[:MESSAGE]}
    line = json.dumps({key: value for key, value in document.items() if value}) + "\n"
    path = file(layout)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _shorten(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(line)
    except OSError:
        # What is being done matters more than its record: it may be what makes room again.
        return


def note(layout: Layout, claim: Mapping[str, Any], result: str, message: str = "") -> None:
    """Add the event of a run: ``claim`` is what it took its lease for, see `lease.acquire`."""
    event = Event(
        stack=layout.stack,
        what=str(claim["purpose"]),
        result=result,
        before=str(claim.get("serves", "")),
        message=message,
        seconds=_took(claim),
        **{key: str(claim.get(key) or "") for key in ("by", "approved_by", "plan", "release")},
    )
    write(layout, event)


def _took(claim: Mapping[str, Any]) -> str:
    """Whole seconds since the lease was taken; empty where there was none."""
    acquired = float(claim.get("acquired") or 0)
    return str(max(0, round(time.time() - acquired))) if acquired else ""


def read(layout: Layout, last: int) -> list[EventFacts]:
    """The last events of a stack, oldest first; as plain data with every field of `Event`."""
    return [cast("EventFacts", asdict(event)) for event in list(_events(file(layout)))[-last:]]


def stacks(root: Path) -> list[str]:
    """The stacks something is known of, removed ones too."""
    return sorted(path.stem for path in (root / ".history").glob("*.jsonl"))


def file(layout: Layout) -> Path:
    """Where a stack's events stand: not among its own files, which may be removed."""
    return layout.root / ".history" / f"{layout.stack}.jsonl"


def _events(path: Path) -> Iterator[Event]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    known = {item.name for item in fields(Event)}
    for line in lines:
        try:
            document = json.loads(line)
            yield Event(**{key: str(value) for key, value in document.items() if key in known})
        except (ValueError, TypeError, AttributeError):
            # A line that a crash cut short.
            continue


def _shorten(path: Path) -> None:
    """Drop the older half of a file that has become too long."""
    if not path.exists() or path.stat().st_size < LARGEST:
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    write_atomically(path, "".join(lines[len(lines) // 2 :]), 0o600)

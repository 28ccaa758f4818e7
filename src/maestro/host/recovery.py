"""A release that could not be restored completely: what is wrong, and when the host tries again.

The record stands beside the stack's releases until the release serves, or another one does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import MaestroError
from . import lease
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import RecoveryFacts
    from .roll import Roll

PAUSE, LONGEST = 10.0, 1800.0  # seconds before the second try, doubled with each, and their cap


@dataclass(frozen=True)
class Recovery:
    """``recovery.json``; times are seconds since 1970.

    ``problems`` is what is wrong by service; the empty name stands for the whole release.
    """

    release: str
    since: float
    attempts: int
    next: float
    timeout: float
    problems: Mapping[str, str]


class Incomplete(MaestroError):
    """Some services of a release could not be put back; the others serve."""

    def __init__(self, release: str, restored: Sequence[str], problems: Mapping[str, str]) -> None:
        self.release, self.restored, self.problems = release, list(restored), dict(problems)
        lines = "\n".join(problems.values())
        super().__init__(
            f"release {release} is running without {', '.join(sorted(problems))}:\n{lines}",
            fix="fix the cause on the host, and it tries again by itself; or deploy "
            "a version that works",
        )


def read(layout: Layout) -> Recovery | None:
    """The record, or None where nothing has to be recovered."""
    try:
        return Recovery(**json.loads(_file(layout).read_text(encoding="utf-8")))
    except OSError:
        return None
    except (ValueError, TypeError):
        _file(layout).unlink(missing_ok=True)
        return None


def note(layout: Layout, release: str, timeout: float, problems: Mapping[str, str]) -> Recovery:
    """Write down one more try that failed; the next one is after a longer pause."""
    now, before = time.time(), read(layout)
    again = before is not None and before.release == release
    attempts = before.attempts + 1 if before and again else 1
    found = Recovery(
        release=release,
        since=before.since if before and again else now,
        attempts=attempts,
        next=now + pause(attempts),
        timeout=timeout,
        problems={name: text.splitlines()[0] for name, text in problems.items()},
    )
    write_atomically(_file(layout), json.dumps(asdict(found), indent=2) + "\n", 0o644)
    return found


def pause(attempts: int) -> float:
    """Seconds until the next try after so many that failed."""
    return min(PAUSE * 2.0 ** min(attempts - 1, 20), LONGEST)


def clear(layout: Layout) -> None:
    """A release serves whole."""
    _file(layout).unlink(missing_ok=True)


def due(layout: Layout) -> bool:
    """Whether a try is due: none failed before, or the pause since the last one is over."""
    found = read(layout)
    return found is None or time.time() >= found.next


def describe(layout: Layout) -> RecoveryFacts:
    """The record as the state of a host tells it, or an empty dict."""
    found = read(layout)
    return cast("RecoveryFacts", asdict(found)) if found else {}


def restore(roll: Roll, services: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Bring services of one level back: together, or one by one where that fails.

    Returns those that serve, and what is wrong with the others. A lost lease ends it, and so does
    an Engine that does not answer.
    """
    if not services:
        return [], {}
    problem = _level(roll, services)
    if not problem:
        return list(services), {}
    if len(services) == 1:
        return [], {services[0]: problem}
    problems = {name: why for name in services if (why := _level(roll, [name]))}
    return [name for name in services if name not in problems], problems


def _level(roll: Roll, services: Sequence[str]) -> str:
    try:
        roll.level(services)
    except lease.Lost:
        raise
    except MaestroError as problem:
        roll.engine.wait_ready(5)
        return problem.what
    return ""


def _file(layout: Layout) -> Path:
    return layout.home / "recovery.json"

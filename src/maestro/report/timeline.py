"""What happened to stacks on all hosts, as a table an operator reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .tables import columns

if TYPE_CHECKING:
    from ..records import EventFacts

HEADINGS = ("when", "host", "stack", "what", "result", "by", "approved by", "plan", "release")


def table(events: Mapping[str, Sequence[EventFacts]], lost: Iterable[str] = ()) -> str:
    """One line for each event, oldest first, with its message below it.

    ``events`` maps hosts to what `host.journal.read` answers, ``lost`` are hosts that did not
    answer. The same event on several hosts is one line.
    """
    parts = [f"{host}: cannot be reached" for host in lost]
    together: dict[tuple[str, ...], list[str]] = {}
    for host, found in events.items():
        for event in found:
            together.setdefault(_key(event), []).append(host)
    if not together:
        return "\n".join([*parts, "no events yet"])
    rows: list[tuple[str, ...]] = [HEADINGS]
    messages = [""]
    for key, hosts in sorted(together.items()):
        at, *rest, message = key
        stack, what, result, *others = rest
        rows.append((at, ", ".join(hosts), stack, what, result, *others))
        messages.append(message)
    for line, message in zip(columns(rows), messages, strict=True):
        parts.append(line)
        parts += [f"    {text}" for text in message.splitlines()]
    return "\n".join(parts)


def _key(event: EventFacts) -> tuple[str, ...]:
    names = ("at", "stack", "what", "result", "by", "approved_by", "plan", "release", "message")
    return tuple(str(event.get(name, "")) for name in names)

"""A run as a person reads it: what was done, an error once, and one line at the end.

The plugin `maestro.stacks.story` hands on what Ansible tells it. With ``-v`` Ansible's own output
is shown instead, and the last line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .gate import HELD_BACK
from .outcome import Outcome
from .screen import Screen
from .told import Told, indented, names, plain_name, reason

# Steps that wait for others, or prepare: they are no part of the story.
SILENT = (
    "maestro.stacks.gate",
    "maestro.stacks.note",
    "set_fact",
    "include_tasks",
    "include_role",
    "meta",
    "assert",
    "fail",
)
OURS = "maestro.stacks."
# What takes the lease, whatever else it does.
TAKE = (f"{OURS}lease", f"{OURS}begin", f"{OURS}bring")
ERROR, GOOD, CHANGED, DIM = "red", "green", "yellow", "dark gray"


@dataclass
class Doing:
    """One task, on the hosts that are in it."""

    name: str
    action: str
    once: bool = False
    began: float = field(default_factory=time.monotonic)
    hosts: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


class Story:
    """The run so far. ``show`` prints a text, ``hide`` masks secrets in what goes past it."""

    def __init__(
        self,
        show: Callable[..., None],
        hide: Callable[[str], str],
        command: str,
        *,
        quiet: bool = False,
    ) -> None:
        self.screen = Screen(show, self._now, hide)
        self._quiet = quiet
        self.outcome = Outcome()
        self._command = command
        self._told = Told()
        self._doing: Doing | None = None
        self._play = ""
        self._began = time.monotonic()
        self.ended = False

    # What Ansible tells.

    def play(self, name: str, *, dry: bool) -> None:
        """A play begins."""
        self._flush()
        self._play, self.outcome.dry = plain_name(name), dry
        if not self._quiet:
            self.screen.line(self._play)
            self.screen.begin()

    def task(self, name: str, action: str, *, once: bool) -> None:
        """A task begins: what was before it is over on every host."""
        self._flush()
        self._doing = Doing(plain_name(name.rsplit(" : ", maxsplit=1)[-1]), short(action), once)

    def started(self, host: str) -> None:
        """A host begins the task."""
        if self._doing and host not in self._doing.hosts:
            self._doing.hosts.append(host)
            self._doing.running.append(host)

    def waits(self, host: str, what: str) -> None:
        """A host says what it waits for."""
        if self._doing:
            self._doing.waits[host] = what

    def skipped(self, host: str) -> None:
        """The task was not for this host."""
        self._over(host)

    def ok(self, host: str, result: Mapping[str, Any]) -> None:
        """A host has done the task."""
        doing = self._over(host)
        if doing is None:
            return
        doing.done.append(host)
        if result.get("changed"):
            doing.changed.append(host)
            _add(self.outcome.changed, host)
        self._learn(doing.action, host, result)

    def failed(self, host: str, result: Mapping[str, Any], *, lost: bool = False) -> None:
        """A host has failed it, or could not be reached."""
        doing = self._over(host)
        if doing is None:
            return
        (doing.lost if lost else doing.failed)[host] = reason(result)
        if doing.action in TAKE and result.get("token"):
            _add(self.outcome.leased, host)
        if result.get("changed"):
            _add(self.outcome.changed, host)

    def recap(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Ansible's own count of tasks, which programs read."""
        self._flush()
        names_of = {"failures": "failed"}
        for host, numbers in counts.items():
            said = " ".join(f"{names_of.get(key, key)}={n}" for key, n in _ordered(numbers))
            self.screen.raw(f"{host:<26} : {said}")

    def end(self, failed: Sequence[str], lost: Sequence[str]) -> None:
        """The run is over; ``failed`` and ``lost`` are the hosts that Ansible counts."""
        self._flush()
        self.screen.end()
        self.ended = True
        self.outcome.failed, self.outcome.lost = list(failed), list(lost)
        bad = bool(failed or lost)
        seconds = time.monotonic() - self._began
        self.screen.line(self.outcome.closing(self._play, seconds), color=ERROR if bad else GOOD)

    def interrupted(self) -> None:
        """The run ends before its end, by Ctrl-C or a signal."""
        if self.ended:
            return
        self.ended = True
        self.screen.end()
        doing = self._doing.name if self._doing and self._doing.hosts else ""
        if self._doing and self._doing.action in TAKE:
            # Nobody has heard yet how far they came: they may have the lease, and go on with it.
            for host in self._doing.running:
                _add(self.outcome.leased, host)
        for line in self.outcome.interrupted(doing, self._command).splitlines():
            # A command is copied as it is.
            show = self.screen.raw if line.startswith("     ") else self.screen.text
            show(line, color=ERROR)

    # What is shown of it.

    def _over(self, host: str) -> Doing | None:
        doing = self._doing
        if doing:
            if host in doing.running:
                doing.running.remove(host)
            doing.waits.pop(host, None)
        return doing

    def _now(self) -> tuple[str, float]:
        """The line that moves."""
        doing = self._doing
        if not doing or not doing.running or doing.action == f"{OURS}logs":
            return "", 0.0
        alone = len(doing.running) == 1
        waits = [
            what if alone else f"{host}: {what}"
            for host, what in sorted(doing.waits.items())
            if what
        ]
        where = names(doing.running)
        text = f"{doing.name} ({'; '.join(waits)})" if waits else doing.name
        return f"{where}: {text}", doing.seconds

    def _flush(self) -> None:
        doing, self._doing = self._doing, None
        if doing is None or self._quiet:
            return
        shown = doing.changed or (doing.action.startswith(OURS) and doing.done)
        if shown and doing.action not in SILENT:
            where = "" if doing.once else f"{names(sorted(doing.done))}, "
            self.screen.line(f"{doing.name} ({where}{doing.seconds:.1f} s)")
        self._say_failures(doing.failed, doing, "failed")
        self._say_failures(doing.lost, doing, "cannot be reached")

    def _say_failures(self, failures: Mapping[str, str], doing: Doing, how: str) -> None:
        if failures and all(text.startswith(HELD_BACK) for text in failures.values()):
            # Each host that failed has said why.
            for text in failures.values():
                self._told.heard(text)
            if self._told.anything:
                return
        for hosts, text in self._told.news(failures):
            again = doing.action == "fail"
            where = "" if doing.once else f"{names(hosts)}: "
            heading = f"{where}" if again else f"{how.upper()}: {where}{doing.name}"
            if again:
                self.screen.text(f"{names(hosts)}: {text.strip()}", color=ERROR)
            else:
                self.screen.line(heading, color=ERROR)
                self.screen.text(indented(text), color=ERROR)

    def _learn(self, action: str, host: str, result: Mapping[str, Any]) -> None:
        """What the last line needs, from what steps answer."""
        outcome = self.outcome
        if isinstance(result.get("closing"), Mapping):
            outcome.facts = result["closing"]
            outcome.changing = [str(each) for each in result.get("changing") or ()]
            outcome.begin()
        elif action in TAKE and result.get("token"):
            outcome.limit = float(result.get("limit") or outcome.limit)
            _add(outcome.leased, host)
        elif action == f"{OURS}lease":
            _add(outcome.released, host)
        elif action in (f"{OURS}commit", f"{OURS}end", f"{OURS}remove"):
            _add(outcome.committed, host)
        elif action == f"{OURS}put_back":
            outcome.back[host] = str(result.get("serves") or "")
        if isinstance(result.get("requests"), Mapping):
            outcome.count(host, result["requests"])


_COUNTS = ("ok", "changed", "unreachable", "failures", "skipped", "rescued", "ignored")


def _ordered(numbers: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(key, numbers.get(key, 0)) for key in _COUNTS]


def short(action: str) -> str:
    """The name of an action; those that come with Ansible need no collection."""
    return action.removeprefix("ansible.builtin.")


def _add(there: list[str], host: str) -> None:
    if host not in there:
        there.append(host)


def command(argv: Sequence[str]) -> str:
    """What was typed, to be typed again."""
    import shlex  # noqa: PLC0415 -- only where it is interrupted

    words = [os.path.basename(argv[0]) if argv else "ansible-playbook", *argv[1:]]
    return shlex.join(words)

"""How a run ended, as its last line; and what is half done where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .told import listed, names

if TYPE_CHECKING:
    from ..records import Closing

SWITCH = 10  # seconds at most until a host's own switch looks again


@dataclass
class Outcome:
    """What is known of a run: see `story.Story`, which fills it in.

    ``leased`` are hosts with the lease, ``committed`` those that have the release for good,
    ``back`` says which release serves on hosts that went back (empty: none). ``requests`` are
    those that failed and all that came while containers were exchanged, where a host knows them.
    """

    facts: Closing | None = None
    changing: list[str] = field(default_factory=list)
    dry: bool = False
    limit: float = 60.0
    leased: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    back: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    requests: dict[str, tuple[int, int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Another change begins: forget how far the one before came."""
        for done in (self.leased, self.released, self.committed, self.back, self.requests):
            done.clear()

    def count(self, host: str, requests: Mapping[str, int]) -> None:
        """A host's requests during one step of the exchange; see `maestro.host.edge_requests`."""
        failed, every = self.requests.get(host, (0, 0))
        self.requests[host] = failed + int(requests["failed"]), every + int(requests["all"])

    @property
    def half_done(self) -> list[str]:
        """Hosts on which a change has begun and has not ended."""
        ended = {*self.committed, *self.back, *self.released}
        return [host for host in self.leased if host not in ended]

    def closing(self, play: str, seconds: float) -> str:
        """The last line of a run that came to its end."""
        took = f"{seconds:.0f} s"
        if self.failed or self.lost:
            return f"{self._failed(play)} ({took})"
        facts = self.facts
        if facts is None:
            hosts = f"changed {names(self.changed)}" if self.changed else "nothing changed"
            return f"Done: {play}: {hosts} ({took})"
        what = f"{facts['stack']} {facts['version']}".strip()
        if not self.changing:
            return f"Done: {what}: nothing to change ({took})"
        if self.dry or not self.leased:
            return f"Planned: {_purpose(facts)}: would change {names(self.changing)} ({took})"
        return f"Done: {self._done(facts)} ({took})"

    def _done(self, facts: Closing) -> str:
        parts = [f"{facts['stack']}: {_purpose(facts)} on {names(self.changing)}"]
        if facts["version"] and facts["before"] != facts["version"]:
            parts.append(f"{facts['before'] or 'nothing'} -> {facts['version']}")
        if facts["release"]:
            parts.append(f"release {facts['release']}")
        parts += [f"{word} {listed(there)}" for word, there in facts["moved"].items()]
        every = sum(number for _, number in self.requests.values())
        if every:
            failed = sum(bad for bad, _ in self.requests.values())
            parts.append(f"{failed} of {every} requests failed")
        return "; ".join([*parts, *facts["urls"][:3]])

    def _failed(self, play: str) -> str:
        facts = self.facts
        what = f"{facts['stack']}: {_purpose(facts)}" if facts and facts["stack"] else play
        where = names([*self.failed, *self.lost])
        if self.half_done:
            return f"FAILED: {what} on {where}; {self._unfinished()}"
        if self.back:
            serving = sorted(set(self.back.values()))
            state = ", ".join(f"release {each}" if each else "no release" for each in serving)
            return f"FAILED: {what}; {state} is running on {names(list(self.back))}"
        if facts and not self.leased:
            return f"REFUSED: {what}; nothing was changed"
        if facts is None and not self.changed:
            return f"FAILED: {what} on {where}; nothing was changed"
        return f"FAILED: {what} on {where}"

    def _unfinished(self) -> str:
        return (
            f"{names(self.half_done)} {_verb(self.half_done)} back within "
            f"{self.limit + SWITCH:.0f} s without your help"
        )

    def interrupted(self, doing: str, command: str) -> str:
        """What is said after Ctrl-C: what is half done, when it goes back, what to type."""
        lines = [f"Interrupted{f' during: {doing}' if doing else ''}"]
        if not self.half_done:
            after = "the change was finished" if self.committed else "nothing was changed"
            if self.back:
                after = "the release before is running"
            elif self.facts is None and self.changed:
                after = f"{names(self.changed)} changed; the same command goes on from there"
            return f"{lines[0]}: {after}."
        purpose = _purpose(self.facts) if self.facts else "a change"
        stack = self.facts["stack"] if self.facts else ""
        one = len(self.half_done) == 1
        lines.append(f"  half done: {purpose} of {stack} on {names(self.half_done)}")
        lines.append(
            f"  {'it goes' if one else 'they go'} back by {'itself' if one else 'themselves'} to "
            f"what served before, within {self.limit + SWITCH:.0f} s"
        )
        lines.append(
            f"  -> to deploy again at once, without waiting, type the same command:\n     {command}"
        )
        lines.append(
            "  -> to see what is running:\n"
            f"     ansible-playbook maestro.stacks.status -l {','.join(self.half_done[:3])}"
            f"{f' -e stack={stack}' if stack else ''}"
        )
        return "\n".join(lines)


def _purpose(facts: Closing) -> str:
    return facts["purpose"] or "change"


def _verb(hosts: Sequence[str]) -> str:
    return "goes" if len(hosts) == 1 else "go"

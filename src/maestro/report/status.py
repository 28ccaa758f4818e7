"""What runs where, as a table an operator reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..host.resources import Resources
from ..plan import borrowers, checks, compare, networks, reasons
from ..release import drift, recorded
from . import score
from .tables import ago, columns

if TYPE_CHECKING:
    from ..records import HostOverview, Overview

HEADINGS = ("host", "service", "state", "health", "since", "image", "as released")


def table(
    stack: str,
    states: Mapping[str, Overview],
    urls: Mapping[str, str],
    lost: Iterable[str] = (),
) -> str:
    """One line per container and a few per host that say which release serves.

    ``states`` are answers of `host.overview.read`; ``urls`` where a host is reached, if known;
    ``lost`` are hosts that did not answer.
    """
    states = recorded.opened(states)
    parts = [line for host, state in states.items() for line in _head(stack, host, state, urls)]
    parts += [f"{host}: cannot be reached" for host in lost]
    rows = [row for host, state in states.items() for row in _rows(host, state)]
    if rows:
        parts += ["", *columns([HEADINGS, *rows])]
    scored = score.shown(states, stack)
    parts += ["", scored] if scored else []
    return "\n".join(parts)


def everything(
    states: Mapping[str, HostOverview],
    urls: Mapping[str, str],
    lost: Iterable[str] = (),
) -> str:
    """All stacks of all hosts, one table for each, and what of the hosts cannot be reached.

    ``states`` are answers of `host.overview.everything`; see `table` for the others.
    """
    parts = [f"{host}: cannot be reached" for host in lost]
    for host, state in states.items():
        parts += [f"{host}: {problem}" for problem in state["silent"]]
        parts += [
            f"{host}: {count} containers of the Compose project {name}, "
            "of which Maestro has no record"
            for name, count in sorted(state["strangers"].items())
        ]
    stacks = sorted({name for state in states.values() for name in state["stacks"]})
    if not stacks:
        none = "\n".join([*parts, "no stack has been deployed here"])
        return "\n\n".join(filter(None, [none, _edges(states)]))
    tables = [
        table(
            name,
            {host: s["stacks"][name] for host, s in states.items() if name in s["stacks"]},
            urls,
        )
        for name in stacks
    ]
    return "\n\n".join(filter(None, ["\n".join(parts), *tables, _edges(states)]))


def _edges(states: Mapping[str, HostOverview]) -> str:
    """The score of the edges, whose containers Maestro makes: docs/security.md has the reasons."""
    edges = {host: state["edge"] for host, state in states.items() if state.get("edge")}
    return score.shown(edges, "edge", advice=False)


def _head(stack: str, host: str, state: Overview, urls: Mapping[str, str]) -> Iterable[str]:
    manifest = state["release"]
    if not manifest:
        yield f"{host}: {stack} has not been deployed"
    else:
        url = f", {urls[host]}" if urls.get(host) else ""
        yield (
            f"{host}: {stack} {manifest['version']}, release {manifest['id']} of "
            f"{manifest['created']} ({ago(str(manifest['created']))} ago) by "
            f"{manifest['by']}{url}"
        )
        if manifest.get("rolled_back_to"):
            yield f"  created from release {manifest['rolled_back_to']} by a rollback"
        edited = recorded.edited(manifest, state["file"])
        if edited:
            yield f"  compose.yaml was edited by hand: {', '.join(edited)}"
        if state.get("edited_configs"):
            yield f"  configs were edited by hand: {', '.join(state['edited_configs'])}"
        if state.get("resources"):
            there = Resources.of(state)
            different = networks.drift(state["file"], there)
            yield from (f"  {line}" for line in different)
    if state.get("maintenance"):
        yield "  maintenance: its routes answer with the maintenance page"
    for line in checks.unrecovered(state.get("recovery") or {}):
        yield f"  NOT WHOLE: {line}"
    lease = state.get("lease") or {}
    if lease:
        held = "held" if lease.get("held") else "left behind"
        heard = f"last renewed {float(lease.get('age', 0)):.0f} s ago"
        if lease.get("given_up"):
            heard = "given up, and the host goes back"
        yield f"  lease: {held} by {lease.get('by', '?')} for {lease.get('purpose', '?')}, {heard}"


def _rows(host: str, state: Overview) -> list[tuple[str, ...]]:
    manifest = state["release"]
    tags = {
        image["digest"]: reference.rpartition("/")[2]
        for reference, image in manifest.get("images", {}).items()
    }
    compose = state["file"] if manifest else {}
    rows = []
    count: dict[str, int] = {}
    for item in sorted(state["containers"], key=lambda item: str(item["service"])):
        service = str(item["service"])
        count[service] = count.get(service, 0) + 1
        facts = manifest.get("services", {}).get(service)
        done = bool(facts and "job" in facts) and compare.has_ended_well(item)
        different = drift.of_container(item, service, compose, done=done)
        different += map(reasons.shown, borrowers.drift(item, state["containers"]))
        wanted = facts.get("replicas", 1) if facts else 1
        if service in manifest.get("services", {}) and count[service] > wanted:
            different.append("one too many")
        digest = str(item["image"]).rpartition("@")[2]
        rows.append(
            (
                host,
                service,
                reasons.DONE if done else str(item["status"]),
                str(item["health"]),
                ago(str(item["started"])),
                f"{tags.get(digest, '?')} {digest[:19]}",
                f"no: {'; '.join(different)}" if different else "yes",
            )
        )
    return [*rows, *_missing(host, state, count)]


def _missing(host: str, state: Overview, count: Mapping[str, int]) -> list[tuple[str, ...]]:
    """A line for each container that is not there, and should be if it is no job that is done."""
    gone = ("missing", "", "", "", "no: missing")
    return [
        (host, name, reasons.DONE, "", "", "", "yes")
        if compare.was_done(name, facts, state)
        else (host, name, *gone)
        for name, facts in sorted(state["release"].get("services", {}).items())
        for _ in range(facts["replicas"] - count.get(name, 0))
    ]

"""The plan as a document: what its hash covers, what an approver signs, and what of it differs.

The hash is of all that would change what runs, and of the state the plan was made on. It does not
depend on who plans, when, on which machine, or with which version of Ansible.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ..host import plan_hash
from ..host.rules import UPDATE
from . import describe

if TYPE_CHECKING:
    from ..records import (
        MadeOf,
        Manifest,
        PlanClaim,
        PlanFile,
        PlanHead,
        PlanPart,
        Pull,
        RemovalWork,
        Standing,
        Steps,
        Work,
    )
    from .rollout import Decision

SHOWN = 12  # digits of a hash that are shown
LINES = 16  # of a difference that are shown: with what is around them, 20


@dataclass(frozen=True)
class Document:
    """``parts`` are the hosts', by name; ``text`` is how an operator reads the plan.

    Times, people and machines are not in it.
    """

    operation: str
    stack: str
    environment: str
    waves: list[list[str]] = field(default_factory=list)
    parts: Mapping[str, PlanPart] = field(default_factory=dict)
    text: str = ""

    @property
    def head(self) -> PlanHead:
        """What the hash of the plan is the hash of, see `host.plan_hash`."""
        return {
            "schema": plan_hash.SCHEMA,
            "operation": self.operation,
            "stack": self.stack,
            "environment": self.environment,
            "waves": self.waves,
            "text": plan_hash.digest(self.text),
            "hosts": {host: plan_hash.digest(part) for host, part in self.parts.items()},
        }

    @property
    def hash(self) -> str:
        """The whole hash of the plan: 64 hexadecimal digits."""
        return plan_hash.digest(self.head)

    def claim(self, host: str) -> PlanClaim:
        """What one host has to see of it."""
        return {"head": self.head, "part": self.parts[host]}

    def as_dict(self) -> PlanFile:
        """As JSON has it, see `of`."""
        of_text = {"hosts": dict(self.parts), "text": self.text, "hash": self.hash}
        return cast("PlanFile", {**self.head, **of_text})

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Document:
        """From `as_dict`; `KeyError` or `TypeError` where it is none."""
        return cls(
            str(said["operation"]),
            str(said["stack"]),
            str(said["environment"]),
            [list(map(str, wave)) for wave in said["waves"]],
            {str(host): cast("PlanPart", dict(part)) for host, part in said["hosts"].items()},
            str(said["text"]),
        )


def seal(
    decision: Decision,
    operation: str,
    states: Mapping[str, Standing],
    facts: Mapping[str, MadeOf],
    made: Sequence[str] = (),
) -> None:
    """Give a decision its document and its hash.

    ``facts`` says of each host what the release is made of, by names that an operator knows.
    ``made`` are secrets whose values the run itself makes.
    """
    parts = {plan.host: _part(decision, plan.host, states, facts, made) for plan in decision.plans}
    first = decision.plans[0] if decision.plans else None
    decision.document = Document(
        operation,
        first.stack if first else "",
        first.environment if first else "",
        decision.waves,
        parts,
        describe.describe(decision.plans, "", (), decision.notes).rpartition("\nplan ")[0],
    )
    decision.digest = decision.document.hash[:SHOWN]
    for manifest in manifests(decision):
        manifest["plan"] = decision.digest


def manifests(decision: Decision) -> Iterator[Manifest]:
    """Those of the releases to come; a kept release has its own already."""
    for work in decision.hosts.values():
        if work["staged"]:
            yield cast("Work", work)["manifest"]


def _part(
    decision: Decision,
    host: str,
    states: Mapping[str, Standing],
    facts: Mapping[str, MadeOf],
    made: Sequence[str],
) -> PlanPart:
    work = decision.hosts[host]
    state = states[host]
    files = cast("Work", work)["secret_files"] if "secret_files" in work else ()
    names = sorted({str(item["name"]) for item in files})
    known = state.get("fingerprints") or {}
    prints = {name: plan_hash.MADE if name in made else known.get(name) for name in names}
    part = {
        "root": str((state.get("identity") or {}).get("root", "")),
        "state": dict(work["expect"]),
        "plan": work["plan"],
        "facts": {name: facts[host][name] for name in sorted(facts[host])},
        "secrets": {name: found for name, found in prints.items() if found},
        "work": _steps(decision, work),
        "needs": _needs(decision, work),
    }
    # As it comes back from a file: JSON has no tuples.
    found: PlanPart = json.loads(json.dumps(part))
    return found


def _steps(decision: Decision, work: Steps) -> dict[str, str]:
    """The hash of what each step on the host gets."""
    given: dict[str, Mapping[str, object]]
    if "manifest" in work:
        given = _release_steps(decision, cast("Work", work))
    else:
        given = {"remove": {"volumes": cast("RemovalWork", work)["volumes"]}}
    return {
        name: plan_hash.of_step(name, params, decision.release) for name, params in given.items()
    }


def _needs(decision: Decision, work: Steps) -> list[str]:
    """The steps without which the host does not commit the release: none may be left out."""
    if "manifest" not in work:
        return []
    work = cast("Work", work)
    whole = {
        "stage": bool(work["staged"]),
        "secrets": decision.kind == UPDATE and bool(work["secret_files"]),
        "migrate": bool(work["migrations"]),
        "up": True,
        "smoke": bool(work["smoke"]),
    }
    return [name for name, needed in whole.items() if needed]


def _release_steps(decision: Decision, work: Work) -> dict[str, Mapping[str, object]]:
    """What the steps that bring a release in get, as far as it is approved."""
    whole: Mapping[str, object] = {**work, "kind": decision.kind, "together": decision.together}
    pulls = cast("list[Pull]", work["plan"]["pulls"])
    whole = {
        **whole,
        "images": [pull["image"] for pull in pulls],
        "files": whole["secret_files"],
        "checks": whole["smoke"],
    }
    names = ("pull", "stage", "secrets", "migrate", "up", "smoke", "commit")
    return {name: {key: whole[key] for key in plan_hash.APPROVED[name]} for name in names}


def difference(approved: Document, found: Document) -> list[str]:
    """What differs between two plans, by name and without a value, in at most `LINES` lines."""
    lines = list(_differences(approved, found))
    if len(lines) > LINES:
        more = len(lines) - LINES + 1
        lines = [*lines[: LINES - 1], f"and {more} more differences"]
    return lines


def _differences(approved: Document, found: Document) -> Iterator[str]:
    for name in ("operation", "stack", "environment"):
        old, new = getattr(approved, name), getattr(found, name)
        if old != new:
            yield f"{name}: {old or 'none'} -> {new or 'none'}"
    if (approved.operation, approved.stack) != (found.operation, found.stack):
        return  # all else differs then
    if approved.waves != found.waves:
        yield f"waves: {_waves(approved.waves)} -> {_waves(found.waves)}"
    for host in sorted({*approved.parts, *found.parts}):
        if host not in found.parts:
            yield f"{host}: no longer in the plan"
        elif host not in approved.parts:
            yield f"{host}: new in the plan"
        else:
            yield from (f"{host}: {it}" for it in _of_host(approved.parts[host], found.parts[host]))


def _of_host(old: PlanPart, new: PlanPart) -> Iterator[str]:
    said = [*_keys(old.get("facts") or {}, new.get("facts") or {})]
    before: Mapping[str, object] = old.get("state") or {}
    after: Mapping[str, object] = new.get("state") or {}
    if before.get("release") != after.get("release"):
        said.append(
            f"the running release: {before.get('release') or 'none'} -> "
            f"{after.get('release') or 'none'}"
        )
    if before.get("containers") != after.get("containers"):
        said.append("the stack's containers are others than when the plan was made")
    said += [f"secret {it}" for it in _keys(old.get("secrets") or {}, new.get("secrets") or {})]
    for key in ("settings", "root"):
        if old.get(key) != new.get(key):
            said.append(f"{key} changed")
    if not said and old != new:
        said.append("what would be done changed: see the plan")
    yield from said


def _keys(old: MadeOf, new: MadeOf) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{name}: removed"
        elif name not in old:
            yield f"{name}: new"
        elif old[name] != new[name]:
            told = name == "version" or name.startswith("image ")
            yield f"{name}: {old[name]} -> {new[name]}" if told else f"{name}: changed"


def _waves(waves: Sequence[Sequence[str]]) -> str:
    return " then ".join(", ".join(wave) for wave in waves) or "none"

"""The host's own guard: no changing step without a valid approval of exactly this plan.

It holds on a host whose `identity` asks for one, whatever a controller says. The lease is taken
with the approval (`check`); what was approved is kept beside it, and every later step is compared
with that (`step`). So nothing is done that was not in the plan that was approved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import identity, lease, plan_hash, proof, signature
from .approved import PLAN, Approved, Claim
from .identity import Files, Identity
from .layout import Layout, write_atomically

_PROVISIONING = 3600  # seconds that an approved provisioning may take


def required(files: Files | None = None) -> Identity | None:
    """What this host is, where it asks for an approval; else None."""
    found = identity.read(files)
    return found if found and found.approval else None


def check(said: Mapping[str, Any], by: str, asked: Mapping[str, Any]) -> Approved | None:
    """Refuse a run that this host's approvers did not approve; None where it asks for none.

    ``said`` is the ``approval`` of a claim. ``asked`` is what is about to be done: each of its
    keys must be in the plan, of the head or of this host's part, with the same value.
    """
    files = Files()
    here = required(files)
    if here is None:
        return None
    if not said:
        raise MaestroError(
            f"this host is of {here.environment} and asks for an approval: this run has none",
            where=here.host,
            fix=PLAN,
        )
    claim = Claim.of(said, by)
    _for_this_host(here, claim, asked)
    plan = plan_hash.digest(claim.head)
    found = proof.of(here, claim, plan, files)
    if found.id and found.id in _used(files):
        raise MaestroError(
            "this approval was used already: it is for one run",
            where=here.host,
            fix=PLAN,
        )
    return found


def _for_this_host(here: Identity, claim: Claim, asked: Mapping[str, Any]) -> None:
    head, part = claim.head, claim.part
    if str(head.get("environment")) != here.environment:
        raise MaestroError(
            f"this host is of {here.environment}, and the plan is for {head.get('environment')}",
            where=here.host,
            fix=f"use the inventory of {here.environment}",
        )
    hosts = head.get("hosts")
    if not isinstance(hosts, Mapping) or here.host not in hosts:
        raise MaestroError(
            "this host is not in the plan",
            where=here.host,
            fix="use the inventory it was provisioned with: its name there is what the plan says",
        )
    if head.get("schema") != plan_hash.SCHEMA or hosts[here.host] != plan_hash.digest(part):
        raise MaestroError(
            "what this run would do here is not what the plan says",
            where=here.host,
            fix=f"{PLAN}, with the version of Maestro that deploys",
        )
    both = {**part, **head}
    other = [
        "state" if key == "operations" else key
        for key, value in sorted(asked.items())
        if both.get(key) != value
    ]
    if other:
        raise MaestroError(
            f"the plan that was approved is for another {', '.join(other)}",
            where=here.host,
            fix="something changed since it was read, or this is another run: read the new plan "
            "and have it approved",
        )


def once(said: Mapping[str, Any], by: str, asked: Mapping[str, Any]) -> Approved | None:
    """`check` for what is done at once, without a lease: the approval is used."""
    done = identity.operations()
    found = check(said, by, {**asked, "operations": done})
    if found:
        burn(found)
        write_atomically(Files().operations, f"{done + 1}\n", 0o644)
    return found


def open_provisioning() -> None:
    """Let provisioning change the Engine and the edge from now on, for a while."""
    until = int(time.time() + _PROVISIONING)
    write_atomically(Files().provisioning, f"{until}\n", 0o644)


def end_provisioning() -> None:
    """Let nobody change them any more: what was approved is done."""
    Files().provisioning.unlink(missing_ok=True)


def provisioned(what: str, layout: Layout | None = None, token: str = "") -> None:
    """Refuse to change ``what`` of a host that asks for an approval, outside of provisioning.

    Where a stack's ``layout`` is given, the approved run that has its lease with the ``token`` may.
    """
    here = required()
    if here is None:
        return
    if layout and token and taken(layout, token) and (held := lease.read(layout)) and held.held:
        return
    try:
        until = int(Files().provisioning.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        until = 0
    if not time.time() < until <= time.time() + _PROVISIONING:
        raise MaestroError(
            f"this host asks for an approval before {what} is changed, and this run has none",
            where=here.host,
            fix="use maestro.stacks.provision with an approval: docs/approval.md",
        )


# What was approved, while its lease is held


def keep(layout: Layout, approved: Approved, token: str, release: str) -> None:
    """Keep what was approved beside the lease with this token.

    ``release`` is the id of the release to come, which nothing on the host has yet: in what was
    approved something else stands for it.
    """
    if release and layout.release(release).exists():
        raise MaestroError(
            f"the release {release} is there already, and a change makes a new one",
            where=str(layout.releases),
            fix="deploy again: each run has an id of its own",
        )
    document = {**asdict(approved), "token": token, "release": release}
    write_atomically(_file(layout), json.dumps(document), 0o600)


def step(layout: Layout, name: str, params: Mapping[str, Any], token: str) -> None:
    """Refuse a step that is not what was approved with this lease."""
    here = required()
    if here is None:
        return
    found = _kept(layout)
    if found is None or found.token != token:
        raise MaestroError(
            "nobody approved what this run does here", where=f"{here.host}: {name}", fix=PLAN
        )
    if name in plan_hash.APPROVED and found.steps.get(name) != plan_hash.of_step(
        name, params, found.release
    ):
        raise MaestroError("this is not what was approved", where=f"{here.host}: {name}", fix=PLAN)
    back = (params.get("release"), params.get("serves"))
    if name == "put_back" and back != (found.release, found.serves):
        raise MaestroError(
            "this is not the release that this run began with",
            where=f"{here.host}: {name}",
            fix="deploy again: the previous release is restored first",
        )
    if name == "secrets":
        _values(here, params, found)
    if name == "commit":
        _none_left_out(here, found)
    burn(found)


def done(layout: Layout, name: str, token: str) -> None:
    """Note that a step was taken which the release needs, see `step`."""
    found = _kept(layout) if required() is not None else None
    if found and found.token == token and name in found.needs and name not in found.done:
        document = {**asdict(found), "done": [*found.done, name]}
        write_atomically(_file(layout), json.dumps(document), 0o600)


def _none_left_out(here: Identity, found: Approved) -> None:
    missing = [name for name in found.needs if name not in found.done]
    if missing:
        raise MaestroError(
            f"these steps were approved and not taken: {', '.join(missing)}",
            where=f"{here.host}: commit",
            fix="run the whole playbook: without --step, --tags or --start-at-task",
        )


def pulled(layout: Layout, params: Mapping[str, Any]) -> None:
    """Refuse images that are not of the plan whose lease is held."""
    if required() is not None:
        held = lease.read(layout)
        step(layout, "pull", params, held.token if held and held.held else "")


def _values(here: Identity, params: Mapping[str, Any], found: Approved) -> None:
    """Refuse the value of a secret that is another than when the plan was made."""
    given = json.loads(params["payload"])["secrets"]
    names = {str(item["name"]) for item in params["files"]}
    prints = identity.fingerprints({name: given[name] for name in names})
    other = [
        name
        for name in sorted(names)
        # Without the host's key there is no fingerprint, and nothing that could be compared.
        if found.secrets.get(name) not in (prints.get(name, "none"), plan_hash.MADE)
    ]
    if other:
        raise MaestroError(
            f"the value of {', '.join(other)} is another than in the plan that was approved",
            where=here.host,
            fix="read the new plan and have it approved",
        )


def burn(approved: Approved) -> None:
    """Note that a signed approval was used, and forget those that ended."""
    files = Files()
    if not approved.id:
        return
    used = _used(files)
    if approved.id in used:
        return
    now = time.strftime(signature.TIME, time.gmtime(time.time() - 86400))
    still = {key: end for key, end in used.items() if end > now}
    text = json.dumps({**still, approved.id: approved.expires})
    write_atomically(files.used, text + "\n", 0o600)


def _used(files: Files) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(files.used.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise MaestroError(
            "the list of used approvals is damaged",
            where=str(files.used),
            fix="look at it as root, then write {} to it",
        ) from None
    return found


def taken(layout: Layout, token: str) -> bool:
    """Whether an approval was taken with the lease that has this token, see `keep`."""
    found = _kept(layout)
    return found is not None and found.token == token


def _kept(layout: Layout) -> Approved | None:
    try:
        return Approved(**json.loads(_file(layout).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _file(layout: Layout) -> Path:
    return layout.home / "approved.json"

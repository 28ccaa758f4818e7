"""How an approval is proven: by a signer's key, by a CI's platform, or by nobody's but a word."""

from __future__ import annotations

import time
from typing import Any

from ..errors import MaestroError
from . import signature
from .approved import PLAN, SHORTEST, Approved, Claim
from .identity import Files, Identity, Signer


def of(here: Identity, claim: Claim, plan: str, files: Files) -> Approved:
    """Who approved the plan with this hash; `MaestroError` where it is not proven."""
    return _proven(here, claim, plan, files) if here.proves else _claimed(here, claim, plan)


def _claimed(here: Identity, claim: Claim, plan: str) -> Approved:
    """A name and the plan's hash, where nobody signs."""
    by, said = claim.approved_by.strip(), claim.approved_plan
    if not any(letter.isalnum() for letter in by) or len(said) < SHORTEST:
        raise MaestroError(
            f"{here.environment} needs an approval of this plan",
            where=here.host,
            fix="add -e approved_by=NAME -e approved_plan=HASH",
        )
    if not plan.startswith(said):
        raise MaestroError(
            f"the approval is for plan {said}, but the plan is {plan[:SHORTEST]}",
            where=here.host,
            fix=PLAN,
        )
    return _approved(claim, by, plan)


def _proven(here: Identity, claim: Claim, plan: str, files: Files) -> Approved:
    """What a signer signed, or a CI's platform."""
    if not claim.token:
        return _signed(here, claim, plan, files)
    try:
        found = _issued(here, claim, plan)
    except MaestroError as problem:
        problem.where = problem.where or here.host
        raise
    return found


def _issued(here: Identity, claim: Claim, plan: str) -> Approved:
    """A token of a job that the reviewers of its environment let run."""
    if not here.issuers:
        raise MaestroError("no token approves changes here", fix=f"these approve: {here.approvers}")
    from . import oidc  # noqa: PLC0415 -- few approvals are tokens

    token, issuer = oidc.verify(claim.token, here.issuers, here.hours)
    if token.plan != plan:
        raise MaestroError(
            f"the approval is for plan {token.plan[:SHORTEST] or 'none'}, but the plan is "
            f"{plan[:SHORTEST]}",
            fix=PLAN,
        )
    person = str(token.claims.get(issuer.approver) or "")
    if not person or not person.isprintable() or len(person) > 100:
        raise MaestroError(
            f"the approval's token names nobody: it has no {issuer.approver}",
            fix=f"set approver in {oidc.SETTING} to a claim that names a person",
        )
    own = Signer(person, "").runs(claim.by)
    if own and not issuer.reviewed and person not in here.own:
        raise MaestroError(
            f"{person} started the job that approves, and runs the change as {claim.by}: this "
            "takes two",
            fix="where the environment has reviewers who cannot approve their own runs, set "
            f"reviewed: true in {oidc.SETTING}",
        )
    return _approved(
        claim,
        f"{issuer.name}, started by {person}",
        plan,
        id=token.id,
        expires=time.strftime(signature.TIME, time.gmtime(token.time("exp"))),
        own=own and not issuer.reviewed,
    )


def _signed(here: Identity, claim: Claim, plan: str, files: Files) -> Approved:
    """A statement that one of this host's signers signed."""
    if not claim.statement or not claim.signature:
        raise MaestroError(
            f"{here.environment} needs a signed approval",
            where=here.host,
            fix=f"have it approved by one of {here.approvers} (maestro approve), then add "
            "-e approval=FILE",
        )
    said = signature.Statement.read(claim.statement)
    signer = here.signer(said.approver)
    if signer is None:
        raise MaestroError(
            f"{said.approver} may not approve changes here",
            where=here.host,
            fix=f"these may: {here.approvers}",
        )
    signature.verify(claim.statement, claim.signature, signer.name, files.signers)
    _about_this(here, claim, said, plan)
    _in_time(here, said)
    own = signer.runs(claim.by)
    if own and signer.name not in here.own:
        raise MaestroError(
            f"{signer.name} approved a plan and runs it as {claim.by}: this takes two",
            where=here.host,
            fix="have another signer approve it, or let another one run it; a small team may "
            f"allow it by name: maestro_approval_self: [{signer.name}]",
        )
    return _approved(claim, signer.name, plan, id=said.id, expires=said.expires, own=own)


def _about_this(here: Identity, claim: Claim, said: signature.Statement, plan: str) -> None:
    if said.environment != here.environment:
        raise MaestroError(
            f"the approval is for {said.environment}, but this host is in {here.environment}",
            where=here.host,
            fix=PLAN,
        )
    same = said.operation == claim.head.get("operation") and said.stack == claim.head.get("stack")
    if said.plan != plan or not same:
        raise MaestroError(
            f"the approval is for plan {said.plan[:SHORTEST]} ({said.operation} of "
            f"{said.stack or 'the host'}), but the plan is {plan[:SHORTEST]}",
            where=here.host,
            fix=PLAN,
        )


def _in_time(here: Identity, said: signature.Statement) -> None:
    now, at, end = time.time(), signature.seconds(said.at), signature.seconds(said.expires)
    if at > now + signature.AHEAD:
        raise MaestroError(
            f"the approval is of {said.at}, which is still to come",
            where=here.host,
            fix="set the clocks of the host and of who approved",
        )
    if now > min(end, at + here.hours * 3600):
        raise MaestroError(
            f"the approval of {said.at} has expired: it holds until {said.expires}, and at most "
            f"{here.hours:g} hours here",
            where=here.host,
            fix="approve the plan again: maestro approve",
        )


def _approved(claim: Claim, by: str, plan: str, **more: Any) -> Approved:
    part = claim.part
    serves = str((part.get("state") or {}).get("release", ""))
    steps, values = dict(part.get("work") or {}), dict(part.get("secrets") or {})
    needs = tuple(map(str, part.get("needs") or ()))
    return Approved(by, plan, steps, values, serves=serves, needs=needs, **more)

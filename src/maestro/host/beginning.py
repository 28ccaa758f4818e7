"""The steps that come before a change: who may make it, and on which host, see `steps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MaestroError
from . import identity, lease, looking
from .layout import Layout
from .looking import Answer

# As in `steps`: a step loads what it needs when it is taken.

NEXT_RUN = "the next run"
PROVISION = "provisioning"


def use_lease(layout: Layout, params: dict[str, Any]) -> Answer:
    """Take the lease, or give it back."""
    token = params["token"]
    if params["state"] == "acquired":
        token = _acquire(layout, params["claim"], params["expect"])
    elif token:
        lease.release(layout, token)
        token = ""
    return {"changed": False, "token": token}


def _acquire(layout: Layout, claim: Mapping[str, Any], expect: Mapping[str, Any]) -> str:
    """Take the lease if the host still is as the plan was made on, and the plan is approved."""
    from . import approval, older, switch

    token, found = str(claim["token"]), lease.read(layout)
    if found and found.held and found.token == token and approval.taken(layout, token):
        # A call that is made anew, for its connection broke: a step of it has used the approval.
        return token
    asked = {"stack": layout.stack, "root": str(layout.root), "state": dict(expect)}
    approved = approval.check(claim.get("approval") or {}, str(claim["by"]), asked)
    if approved:
        claim = {**claim, **approved.record, "serves": approved.serves}
    older.settle(layout)
    taken = lease.acquire(layout, claim)
    try:
        if approved:
            approval.keep(layout, approved, taken.token, taken.release)
        _compare(layout, expect)
        switch.set_up(layout)
    except MaestroError:
        lease.release(layout, taken.token)
        raise
    return taken.token


def _compare(layout: Layout, expect: Mapping[str, Any]) -> None:
    """Refuse a plan that was made on another release or on other containers."""
    from .containers import of_stack
    from .engine import Engine

    found = sorted(str(item["Id"]) for item in of_stack(Engine(), layout.stack))
    if layout.current_id() != expect["release"] or found != sorted(expect["containers"]):
        raise MaestroError(
            f"{layout.stack} changed on this host since the plan was made",
            fix="deploy again: the new plan is made on what is there now",
        )


def be_told(layout: Layout, params: dict[str, Any]) -> Answer:
    """What the host is; or it becomes what is said, which needs an approval as well.

    With ``allowed`` it only says whether this run may change ``what`` of the host; ``ended`` is
    the end of an approved provisioning.
    """
    from . import approval, older

    if params["state"] == "asked":
        return {"changed": False, **looking.itself(layout, {})}
    if params["state"] == "allowed":
        approval.provisioned(params["what"], layout if layout.stack else None, params["token"])
        return {"changed": False}
    if params["state"] == "ended":
        approval.end_provisioning()
        return {"changed": False}
    said, before = identity.Identity.of(params["settings"]), identity.read()
    if before == said and not said.approval:
        return {"changed": False}
    asked = {"operation": PROVISION, "settings": said.as_dict()}
    # Also where it stays as it is: the rest of provisioning is approved with it.
    approval.once(params["approval"], params["by"], asked)
    if said.approval or (before and before.approval):
        approval.open_provisioning()
    if before != said:
        identity.write(said)
    older.settle_all(layout.root)
    return {"changed": before != said}


def recover(layout: Layout, _params: dict[str, Any]) -> Answer:
    """Roll back what a lost deploy did not finish."""
    from . import switch

    found = lease.read(layout)
    if found and found.held and found.by == switch.HOST:
        # It was quicker, and does the same.
        lease.wait(layout, found.limit + found.timeout)
    serves = switch.recover(layout, NEXT_RUN)
    return {"changed": bool(serves), "serves": serves}

"""What the steps after a plan need on one host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..release.render import Rendered
from . import compare, records

if TYPE_CHECKING:
    from ..records import Expected, Manifest, Serving, Work


def work(
    plan: records.Plan,
    rendered: Rendered,
    *,
    state: Serving,
    manifest: Manifest,
    staged: str,
    purpose: str,
    by: str,
) -> Work:
    """What the steps after the plan need on one host, without migrations.

    ``state`` is what the plan was made on, ``purpose`` what the lease is taken for, ``by`` by whom.
    ``manifest`` is that of the release to come. ``staged`` is its id, empty when the host has it
    already: that one is not discarded when it does not go in.
    """
    untouched = {*plan.services(records.KEEP, records.REMOVE)}
    touched = {step.service for step in plan.steps} - untouched
    return {
        "plan": plan.as_dict(),
        "release": manifest["id"],
        "staged": staged,
        "claim": {
            "by": by,
            "purpose": purpose,
            "release": staged,
            "serves": plan.release,
            "armed": True,
        },
        "expect": _expected(plan, state),
        "compose": rendered.text,
        "reading": {},
        "configs": rendered.config_files,
        "secret_files": rendered.secret_files,
        "services": rendered.services,
        "routes": manifest.get("routes") or [],
        "levels": _only(rendered.order, touched),
        "recreate": [step.service for step in plan.steps if compare.recreates(step)],
        "remove": plan.services(records.REMOVE),
        "networks": [item.name for item in plan.networks],
        "remove_first": compare.in_the_way(plan, rendered, state["file"]),
        "migrations": [],
        "smoke": manifest.get("smoke") or [],
        "manifest": manifest,
    }


def _expected(plan: records.Plan, state: Serving) -> Expected:
    """What the host is, as the plan saw it."""
    containers = sorted(str(item["id"]) for item in state["containers"])
    return {"release": plan.release, "containers": containers}


def _only(levels: list[list[str]], wanted: set[str]) -> list[list[str]]:
    reduced = [[name for name in level if name in wanted] for level in levels]
    return [level for level in reduced if level]

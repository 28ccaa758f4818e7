"""The plan as an operator reads it."""

from __future__ import annotations

from collections.abc import Iterable

from ..host.incoming import is_sent
from ..host.rules import START_FIRST
from .reasons import DONE, all_shown
from .records import Plan


def describe(
    plans: Iterable[Plan], digest: str, lost: Iterable[str] = (), notes: Iterable[str] = ()
) -> str:
    """The plan as an operator reads it; hosts with the same plan stand together.

    ``lost`` are hosts that could not be reached, ``notes`` what else must be known.
    """
    grouped: dict[str, list[Plan]] = {}
    for plan in plans:
        grouped.setdefault("\n".join(_lines(plan)), []).append(plan)
    parts = []
    for text, members in grouped.items():
        first = members[0]
        hosts = ", ".join(plan.host for plan in members)
        before = first.version_before or "nothing"
        after = first.version or "nothing"
        change = f"{before} -> {after}" if first.changes else f"{after}, no change"
        parts.append(f"{first.stack} on {hosts} ({first.environment}): {change}\n{text}")
    left_out = [f"{host} cannot be reached: it is skipped and stays as it is" for host in lost]
    return "\n".join([*parts, *left_out, *notes, f"plan {digest}"])


def _lines(plan: Plan) -> list[str]:
    if not plan.changes:
        names = [f"{s.service} (done)" if s.because(DONE) else s.service for s in plan.steps]
        kept = [f"    keep      {', '.join(names)}"] if plan.version else []
        return [*kept, *(f"    {item.shown}" for item in plan.removals), *_warnings(plan)]
    lines = [f"    back to   release {plan.back_to}"] if plan.back_to else []
    lines += [
        f"    pull      {pull['reference']} ({pull['size'] / 1e6:.1f} MB{_way(pull['image'])})"
        for pull in plan.pulls
    ]
    lines += [f"    secret    {name} ({state})" for name, state in plan.secrets.items()]
    lines += [
        f"    migrate   {item['service']} (database: {item['database']}"
        f"{', from ' + item['on'] if item['database'] == 'shared' else ''})"
        for item in plan.migrations
    ]
    lines += [f"    route     {name} ({state})" for name, state in plan.routes.items()]
    lines += [f"    share     {name} ({state})" for name, state in plan.shares.items()]
    lines += [f"    network   {item.shown}" for item in plan.networks]
    lines += [f"    record    {setting.shown}" for setting in plan.settings]
    for step in plan.steps:
        reason = f"  {all_shown(step.reasons)}" if step.reasons else ""
        order = f" ({step.order})" if step.order == START_FIRST else ""
        lines.append(f"    {step.action:<9} {step.service}{reason}{order}")
    lines += [f"    {item.shown}" for item in plan.removals]
    return [*lines, *_warnings(plan)]


def _warnings(plan: Plan) -> list[str]:
    return [
        *(f"    exception {made}" for made in plan.exceptions),
        *(f"    warning   {warning}" for warning in plan.warnings),
    ]


def _way(image: str) -> str:
    """How it comes, where no registry has it."""
    return ", over SSH" if is_sent(image) else ""

"""Run a stack's migrations from the new image while the old release still serves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import MaestroError
from . import anew, compose, health, mask, roll
from .aim import Aim
from .labels import PROJECT, SERVICE
from .layout import Layout

if TYPE_CHECKING:
    from ..records import MigrationWork, ServiceFacts


def migrate(
    layout: Layout,
    staged: str,
    services: Mapping[str, ServiceFacts],
    migrations: Iterable[MigrationWork],
    check: Callable[[], None] = lambda: None,
) -> list[str]:
    """Run the staged release's migrations one after the other; their output, redacted.

    ``services`` are those of the staged release, see `aim.Aim`.

    Each has ``service``, ``needs`` (levels of services) and ``timeout`` (seconds), and
    ``networks`` that are made anew later on and are used as they are now. The first that fails
    ends it with a `MaestroError`.
    """
    lines: list[str] = []
    for item in migrations:
        way = roll.Roll(
            layout,
            Aim(staged, services),
            float(item["timeout"]),
            check=check,
            over=anew.as_they_are(layout, staged, item.get("networks") or {}),
        )
        output = _one(way, str(item["service"]), item["needs"])
        lines += output.splitlines()
    return lines


def _one(way: roll.Roll, service: str, needs: Sequence[Sequence[str]]) -> str:
    """Run the one-shot ``service`` of the staged release to its end.

    ``needs`` are the services it depends on, in order. One that already has a running
    container is left exactly as it is: nothing is replaced before the migration passed.
    """
    layout, staged, engine = way.layout, way.aim.release, way.engine
    running = {
        item["Labels"].get(SERVICE)
        for item in engine.containers(f"{PROJECT}={layout.stack}")
        if item["State"] == "running"
    }
    for level in needs:
        missing = [name for name in level if name not in running]
        if missing:
            way.level(missing)
    way.check()
    name = f"{layout.stack}-{service}-{staged}".lower()
    argv = compose.arguments(layout.stack, layout.compose_file(staged))
    argv += [*way.over, "run", "--rm", "--no-deps", "--no-TTY", "--name", name, service]
    masked = mask.redactor(layout)
    try:
        result = compose.run(argv, timeout=way.timeout)
    except compose.TimedOut as error:
        with contextlib.suppress(MaestroError):
            engine.remove(name)
        raise MaestroError(
            f"the migration {service} did not end within {way.timeout:.0f} s and was stopped",
            where=f"stack {layout.stack}",
            fix="raise its timeout in x-maestro.migrations, or make it shorter",
        ) from error
    output = masked.text("\n".join(part for part in (result.stdout, result.stderr) if part).strip())
    if result.returncode != 0:
        wrote = compose.without_progress(output)[-health.LOG_LINES :] or ["(it wrote nothing)"]
        lines = "\n".join(f"    {line}" for line in wrote)
        raise MaestroError(
            f"the migration {service} failed with exit code {result.returncode}; "
            f"no service was replaced\nits last lines:\n{lines}",
            where=f"stack {layout.stack}",
            fix="correct the migration, build a new version and deploy that",
        )
    return output

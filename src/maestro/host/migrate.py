"""Run a stack's migrations from the new image while the old release still serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import MaestroError
from . import compose, mask, roll
from .engine import PROJECT, SERVICE, Engine
from .layout import Layout


def migrate(layout: Layout, staged: str, migrations: Iterable[Mapping[str, Any]]) -> list[str]:
    """Run the staged release's migrations one after the other; their output, redacted.

    Each has ``service``, ``needs`` (levels of services) and ``timeout`` (seconds). The first
    that fails ends it with a `MaestroError`.
    """
    lines: list[str] = []
    for item in migrations:
        output = _one(layout, staged, str(item["service"]), item["needs"], float(item["timeout"]))
        lines += output.splitlines()
    return lines


def _one(
    layout: Layout, staged: str, service: str, needs: Sequence[Sequence[str]], timeout: float
) -> str:
    """Run the one-shot ``service`` of the staged release to its end.

    ``needs`` are the services it depends on, in order. One that already has a running
    container is left exactly as it is: nothing is replaced before the migration passed.
    """
    engine = Engine()
    running = {
        item["Labels"].get(SERVICE)
        for item in engine.containers(f"{PROJECT}={layout.stack}")
        if item["State"] == "running"
    }
    for level in needs:
        missing = [name for name in level if name not in running]
        if missing:
            roll.up(layout, staged, [missing], timeout)
    name = f"{layout.stack}-{service}-{staged}".lower()
    argv = compose.arguments(layout.stack, layout.compose_file(staged))
    argv += ["run", "--rm", "--no-deps", "--no-TTY", "--name", name, service]
    masked = mask.redactor(layout)
    try:
        result = compose.run(argv, timeout=timeout)
    except compose.TimedOut as error:
        engine.remove(name)
        raise MaestroError(
            f"the migration {service} did not end within {timeout:.0f} s and was stopped",
            where=f"stack {layout.stack}",
            fix="raise its timeout in x-maestro.migrations, or make it shorter",
        ) from error
    output = masked.text("\n".join(part for part in (result.stdout, result.stderr) if part).strip())
    if result.returncode != 0:
        lines = "\n".join(f"    {line}" for line in output.splitlines()[-roll.LOG_LINES :])
        raise MaestroError(
            f"the migration {service} failed with exit code {result.returncode}; "
            f"no service was replaced\nits last lines:\n{lines}",
            where=f"stack {layout.stack}",
            fix="correct the migration, build a new version and deploy that",
        )
    return output

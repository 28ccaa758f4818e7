"""How the containers of a stack come: Compose makes and starts them from a release's file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import CompletedProcess

from ..errors import MaestroError
from . import compose, health, life, limits
from .containers import ids
from .labels import HASH_LABEL
from .standing import Standing

# Seconds that Compose has at least to make and start containers: a busy machine is no failure.
LEAST = 30.0


@dataclass(frozen=True)
class Starting:
    """Runs ``docker compose up``. Its fields are as those of `roll.Roll`."""

    standing: Standing
    check: Callable[[], None]
    timeout: float
    apart: bool
    over: Sequence[str]
    pull: str

    def more(self, count: Mapping[str, int]) -> dict[str, str]:
        """Start so many more containers of each service beside those it has: id to service."""
        before = self._ids()

        def start(names: Sequence[str]) -> None:
            scale = [f"{name}={len(before.get(name, ())) + count[name]}" for name in names]
            options = itertools.chain.from_iterable(("--scale", item) for item in scale)
            self.up(names, "--no-recreate", *options)

        # In one call Compose lets each wait until those it depends on are healthy; two calls would
        # race for a network that is not there yet.
        calls = [[name] for name in count] if self.apart else [list(count)]
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(start, calls))
        after = self._ids()
        new = {name: sorted(after.get(name, set()) - before.get(name, set())) for name in count}
        for name in count:
            if count[name] and not new[name]:
                # Nobody may wait for it for ever.
                layout, engine = self.standing.layout, self.standing.engine
                raise health.failure(layout, engine, name, [], "Compose started no container")
        return {container: name for name, found in new.items() for container in found}

    def up(self, services: Sequence[str], *options: str) -> None:
        """Let Compose bring services to the release's file; `MaestroError` with its complaint."""
        self.check()
        layout, engine, aim = self.standing.layout, self.standing.engine, self.standing.aim
        argv = compose.arguments(
            layout.stack,
            layout.compose_file(aim.release),
            *self.over,
            *("up", "--detach", "--no-deps", "--no-build", "--pull", self.pull, *options),
            *services,
        )
        result = self._run(argv, services)
        if result.returncode == 0:
            limits.apply(engine, layout.stack, aim.services, services)
            return
        there = [
            str(item["Id"])
            for name in services
            for item in self.standing.of(name)
            if item["State"] != "running" and item["Labels"].get(HASH_LABEL)
        ]
        why = compose.complaint(result.stderr)
        raise health.failure(layout, engine, ", ".join(services), there, why)

    def _run(self, argv: Sequence[str], services: Sequence[str]) -> CompletedProcess[str]:
        """Compose has the time to start, and before that the time the old containers have to stop.

        It waits for each of them as long as the stack's file says, which may be longer than all
        that starting takes.
        """
        engine = self.standing.engine
        there = [str(item["Id"]) for name in services for item in self.standing.of(name)]
        stopping = life.longest_grace(engine.inspect(container) for container in there)
        starting = max(self.timeout, LEAST)
        try:
            return compose.run(argv, timeout=starting + stopping)
        except compose.TimedOut as error:
            raise MaestroError(
                f"service {', '.join(services)}: {error.what}",
                where=f"stack {self.standing.layout.stack}",
                fix=f"it had {stopping:.0f} s to stop what runs (stop_grace_period) and "
                f"{starting:.0f} s to start (deploy_timeout): raise what was too short",
            ) from error

    def _ids(self) -> dict[str, set[str]]:
        return ids(self.standing.engine, self.standing.layout.stack)

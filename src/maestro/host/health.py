"""Wait until containers are healthy, and say what is wrong with one that is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import MaestroError
from . import life, mask, stirring
from .containers import of_service
from .engine import Engine
from .jobs import Job, ended_well
from .layout import Layout

POLL = 0.1  # seconds between two looks at a container
HEARD = 1.0  # the same where the Engine tells when its health changes
SETTLED = 1.0  # seconds a container without a health check must run
# A container that was restarted more often while what it needs came up has failed.
RESTARTS = 2
LOG_LINES = 20
HEALTHY, WAITING = "healthy", "waiting"


@dataclass(frozen=True)
class Expect:
    """What is asked of one container.

    ``restarts`` is how many are forgiven, ``fresh`` says that it was made in this change, so that
    all its restarts count.
    """

    job: Job | None = None
    restarts: int = RESTARTS
    fresh: bool = False


@dataclass
class Looks:
    """What was seen of one container, look after look."""

    expect: Expect = field(default_factory=Expect)
    base: int | None = None
    code: int | None = None

    def wrong(self, detail: Mapping[str, Any]) -> str:
        """What is wrong with a container, whatever is still waited for; empty when nothing is."""
        state = detail["State"]
        count = int(detail.get("RestartCount", 0))
        if self.base is None:
            self.base = 0 if self.expect.fresh else count
        if state["Status"] in ("restarting", "exited"):
            self.code = int(state.get("ExitCode", 0))
        if self.done(detail):
            return ""
        if count - self.base > self._forgiven(detail):
            return f"crashes at start ({self._end(state)}{_times(count - self.base)})"
        if state["Status"] in ("exited", "dead"):
            return f"exited with code {state['ExitCode']}" + (
                " (out of memory)" if state.get("OOMKilled") else ""
            )
        health = (state.get("Health") or {}).get("Status")
        return "is unhealthy" if health == "unhealthy" and state["Status"] == "running" else ""

    def done(self, detail: Mapping[str, Any]) -> bool:
        """Whether it is a job that has ended well."""
        return self.expect.job is not None and ended_well(detail["State"])

    def verdict(self, detail: Mapping[str, Any]) -> str:
        """``healthy``, ``waiting``, or what is wrong."""
        if why := self.wrong(detail):
            return why
        if self.done(detail):
            return HEALTHY
        state = detail["State"]
        if state["Status"] != "running" or (self.expect.job and self.expect.job.waited):
            return WAITING
        if life.checked(detail):
            return HEALTHY if state["Health"]["Status"] == "healthy" else WAITING
        return HEALTHY if life.age(state) >= SETTLED else WAITING

    def is_told(self, detail: Mapping[str, Any]) -> bool:
        """Whether an event says when it is ready; without a check that is a matter of time."""
        return life.checked(detail) or bool(self.expect.job and self.expect.job.waited)

    def limit(self, detail: Mapping[str, Any], timeout: float) -> float:
        """Seconds it has until it is healthy, or has ended."""
        job = self.expect.job
        if job and job.waited:
            return job.limit or timeout
        return life.start_limit(detail, timeout)

    def late(self, limit: float, detail: Mapping[str, Any]) -> str:
        """Why it counts as failed when its time is over."""
        if self.expect.job and self.expect.job.waited:
            return (
                f"did not end within {limit:.0f} s (its timeout in x-maestro.jobs, or "
                "deploy_timeout)"
            )
        if (first := life.first_check(detail)) > limit:
            return (
                f"its first health check comes after {first:.0f} s (healthcheck.interval), and it "
                f"was waited for {limit:.0f} s: a start_period with a start_interval has it "
                "checked sooner"
            )
        return (
            f"not healthy after {limit:.0f} s (deploy_timeout, or its healthcheck.start_period "
            "where that is longer)"
        )

    def _forgiven(self, detail: Mapping[str, Any]) -> int:
        """A job that others wait for may fail as often as its file allows."""
        policy, most = life.restarts_by(detail)
        if self.expect.job and self.expect.job.waited and policy == "on-failure" and most:
            return most
        return self.expect.restarts

    def _end(self, state: Mapping[str, Any]) -> str:
        if state.get("OOMKilled"):
            return "out of memory, "
        return "" if self.code is None else f"exit code {self.code}, "


def wait(
    engine: Engine,
    containers: Iterable[str],
    timeout: float,
    expect: Mapping[str, Expect] | None = None,
) -> dict[str, str]:
    """Wait until each container is healthy, or running for a while without a health check.

    Returns what is wrong, by container id; empty when all are healthy. Ends as soon as
    every container is the one or the other. One with a longer ``start_period`` has more than
    ``timeout`` seconds, a job until it has ended.
    """
    began = time.monotonic()
    waiting = {
        container: Looks((expect or {}).get(container, Expect())) for container in containers
    }
    failed: dict[str, str] = {}
    with stirring.of(engine, waiting) as wait_for_more:
        while waiting:
            pause = HEARD
            for container, looks in sorted(waiting.items()):
                detail = engine.inspect(container)
                verdict = looks.verdict(detail)
                limit = looks.limit(detail, timeout)
                if verdict == WAITING and time.monotonic() - began > limit:
                    verdict = looks.late(limit, detail)
                if verdict != WAITING:
                    del waiting[container]
                elif not looks.is_told(detail):
                    pause = POLL
                if verdict not in (WAITING, HEALTHY):
                    failed[container] = verdict
            if waiting:
                wait_for_more(pause, POLL)
    return failed


def watch(engine: Engine, containers: Iterable[str], duration: float) -> dict[str, str]:
    """Look at healthy containers for ``duration`` seconds; what went wrong, by container id."""
    deadline = time.monotonic() + duration
    watched = {container: Looks(Expect(restarts=0)) for container in containers}
    failed: dict[str, str] = {}
    while watched and time.monotonic() < deadline:
        for container, looks in sorted(watched.items()):
            if why := looks.wrong(engine.inspect(container)):
                del watched[container]
                failed[container] = f"{why} while it was monitored"
        time.sleep(POLL)
    return failed


def wait_services(
    layout: Layout,
    engine: Engine,
    services: Iterable[str],
    timeout: float,
    expect: Callable[[Mapping[str, str]], Mapping[str, Expect]] = lambda _: {},
) -> dict[str, str]:
    """Wait until every container of the services is healthy; `MaestroError` when one is not.

    ``expect`` says what is asked of containers (id to service). Returns the containers likewise.
    """
    found = {name: of_service(engine, layout.stack, name) for name in services}
    for name, there in found.items():
        if not there:
            raise failure(layout, engine, name, [], "has no container")
    owner = {str(item["Id"]): name for name, there in found.items() for item in there}
    raise_first(layout, engine, owner, wait(engine, owner, timeout, expect(owner)))
    return owner


def raise_first(
    layout: Layout, engine: Engine, owner: Mapping[str, str], failed: Mapping[str, str]
) -> None:
    """Raise for the first failed container's service, with all its failed containers."""
    for container, why in failed.items():
        service = owner[container]
        same = [other for other in failed if owner[other] == service]
        raise failure(layout, engine, service, same, why)


def _times(count: int) -> str:
    return f"{count} restart" if count == 1 else f"{count} restarts"


def failure(
    layout: Layout, engine: Engine, service: str, containers: Iterable[str], why: str
) -> MaestroError:
    """What failed, with the last log lines of its containers, redacted."""
    parts = []
    for container in containers:
        lines = engine.logs(container, LOG_LINES).strip() or "(it wrote nothing)"
        parts.append(f"last lines of {service}:\n{_indent(lines)}")
        if probe := _last_probe(engine, container):
            parts.append(f"last health check of {service}{probe}")
    return MaestroError(
        mask.redactor(layout).text("\n".join([f"service {service}: {why}", *parts])),
        where=f"stack {layout.stack}",
        fix="correct the service and deploy again",
    )


def _last_probe(engine: Engine, container: str) -> str:
    """What the last health check that failed said, with its exit code; empty without one."""
    health = engine.find(container).get("State", {}).get("Health") or {}
    log = health.get("Log") or []
    failed = [entry for entry in log if entry.get("ExitCode") != 0]
    if not failed or (health.get("Status") == "healthy" and failed[-1] is not log[-1]):
        return ""
    said = last_lines(str(failed[-1].get("Output", "")), 5) or "(it wrote nothing)"
    return f" (exit code {failed[-1].get('ExitCode')}):\n{_indent(said)}"


def last_lines(text: str, count: int) -> str:
    """The end of a text."""
    return "\n".join(text.strip().splitlines()[-count:])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

"""What tasks do that take several steps on a host in one call, see `maestro.host.sequence`."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..host import steps
from ..host.layout import AGENT
from . import alike, beating, controller, host_variables, orphaned, registered, values, waiting
from .action import StepAction, checked, named
from .parts import LEASE, Part, Payload

if TYPE_CHECKING:
    from ..records import DeployRequest


class LeaseAction(StepAction):
    """After a lease was taken, a small process says on the host that this run lives."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        acquired = args["state"] == "acquired"
        if acquired:
            args["claim"] = claim(args["claim"])
        result = super().step(args, task_vars)
        if acquired and not result.get("failed"):
            self.beat(args, str(result["token"]))
        return result

    def beat(self, args: Mapping[str, Any], token: str) -> None:
        """Beat for this lease until the playbook ends, or the host says that it is not ours."""
        words = ["python3", "-I", "-S", str(AGENT), "--root", str(args["root"]), "beat"]
        command = shlex.join([*words, str(args["stack"]), token])
        beating.start(
            lambda: bool(self._low_level_execute_command(command)["rc"] != 1),
            float(args["claim"]["limit"]),
        )


def claim(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a run says of itself, with a token of its own and with numbers for numbers.

    Ansible takes a step anew when its connection breaks: it asks for the same lease.
    """
    numbers = {
        name: values.number(said[name], variable)
        for name, variable in (("limit", "deploy_lease_limit"), ("timeout", "deploy_timeout"))
    }
    return {**said, **numbers, "token": secrets.token_hex(8)}


class SequenceAction(LeaseAction):
    """Take several steps in one call; the answer has what all of them answered.

    Where the host's program is not the one of this checkout, each step's module takes it.
    """

    def parts(self, args: Mapping[str, Any]) -> list[Part]:
        """The steps, from the task's arguments. Raises `MaestroError`."""
        raise NotImplementedError

    def begun(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 -- for others
        """The answer before any step is taken."""
        return {"changed": False}

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the steps answer together; ``failed`` and ``msg`` of the one that failed.

        ``plan`` is what the decision was registered as: to read it by its name costs nothing,
        where a template of it is made anew for each host.
        """
        host = str((task_vars or {})["inventory_hostname"])
        decision = registered.of(task_vars or {}, host, args["plan"])
        args = {**args, "decision": decision, "work": decision["hosts"][host]}
        if "asked" in args:
            asked = registered.of(task_vars or {}, host, args["asked"]) or {}
            args["request"] = self._settled(asked, task_vars or {})
        parts = self.parts(args)
        if not parts:
            return self.begun(args)
        for part in parts:
            named(steps.STEPS[part.name], part.params)
        sent = [
            {"step": part.name, "params": checked(steps.STEPS[part.name], part.params)}
            for part in parts
        ]
        orphaned.end_with_playbook()
        result = self.begun(args)
        long = next((part.name for part in parts if part.name in waiting.LONG), "")
        with self.watched(long, args, task_vars):
            found = self.by_the_hosts_program(["steps"], sent)
        answers = found["answers"] if found else self._by_modules(parts, args, task_vars)
        # Nobody watches while a process is forked that beats: it would keep what a thread opens.
        for part, answer in zip(parts, answers, strict=False):
            changed = bool(result["changed"] or answer.get("changed"))
            result.update(answer, changed=changed)
            if answer.get("failed") or answer.get("unreachable"):
                break
            if part.name == LEASE:
                self.beat(part.params, str(answer["token"]))
        return result

    def _by_modules(
        self, parts: Iterable[Part], args: Mapping[str, Any], task_vars: dict[str, Any] | None
    ) -> Iterator[dict[str, Any]]:
        """What the steps answer on a host that has not the program of this checkout."""
        for part in parts:
            with self.watched(part.name, args, task_vars):
                answer = self.by_module(part.name, part.params, task_vars)
            yield answer

    def _settled(
        self, asked: Mapping[str, Any], task_vars: Mapping[str, Any]
    ) -> DeployRequest | None:
        """The request with the host's own values in it; a rollback has none."""
        if "request" not in asked or alike.same(asked, task_vars):
            return asked.get("request")
        own = self._templar.template(task_vars[asked["own"]])
        return host_variables.settled(asked["request"], own)


def held(args: Mapping[str, Any]) -> dict[str, Any]:
    """What every step under a lease gets."""
    return {name: args[name] for name in ("root", "stack", "lease")}


def payload_of(here: DeployRequest, loader: Any) -> Payload:
    """What reads the secrets of a step and makes its payload, see `controller.payload`.

    ``here`` is the request with the host's own values in it.
    """

    def read(wanted: Iterable[str] | None) -> str:
        names = sorted(wanted or ())
        asked: DeployRequest = {**here, "secret_names": names}
        found = controller.read_secrets(asked, loader, registry=wanted is None)
        return controller.payload(found, names, here)

    return read

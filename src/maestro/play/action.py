"""What the action plugins share: steps on a host, with secrets or guarded, and decisions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..errors import MaestroError, raise_all
from ..host import naming, steps
from ..host.agent import OTHER_PROGRAM
from ..host.layout import AGENT
from ..plan import brought, closing, describe
from ..plan import document as document_of
from ..plan.rollout import Decision
from . import (
    agent_archive,
    approval,
    controller,
    course,
    gate,
    guarded,
    host_variables,
    look_only,
    plan_files,
    registered,
    runs,
    screen,
    values,
    waiting,
)
from .failing import as_ansible

if TYPE_CHECKING:
    from ..records import DeployRequest

NO_PROGRAM = (2, 127)  # exit codes: Python finds no such file; the shell finds no Python


class Action(ActionBase):  # type: ignore[misc]  # Ansible is not typed
    """An action plugin of ours: a `MaestroError` is the task's failure."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Do the task; `AnsibleActionFail` with all reasons why not."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        with as_ansible():
            guarded.check()
            result.update(self.done(dict(self._task.args), task_vars or {}))
        return result

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's result. Raises `MaestroError`."""
        raise NotImplementedError


class LocalAction(Action):
    """An action that no host is spoken to for."""

    _requires_connection = False


class StepAction(Action):
    """Take the step of the task's name on the host, see `maestro.host.steps`.

    The host's own program takes it where it is the one of this checkout: then only the
    parameters travel. Where it is not, the module of that name goes to the host with them.
    """

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Take the step; `AnsibleActionFail` when its parameters are wrong.

        Not before what the task's ``gate`` names was done on every host, see `gate.check`.
        """
        gate.check(args.pop("gate", None), task_vars)
        return self.step(args, task_vars)

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        name = str(self._task.action).rpartition(".")[2]
        step = steps.STEPS[name]
        if "dead" in step.arguments and not self._only_looks(task_vars or {}):
            args["dead"] = runs.dead()
        if args.pop("look_only", False):
            return look_only.answer(self._as_who_logs_in, name, _plain(checked(step, args)))
        named(step, args)
        with self.watched(name, args, task_vars):
            if step.reads or not self._task.check_mode:
                answer = self.by_the_hosts_program(["take", name], checked(step, args))
                if answer is not None:
                    # Its archive may be packed otherwise, see `agent_archive.identity`.
                    same = {"agent": agent_archive.identity()} if "agent" in answer else {}
                    return {**answer, **same}
            return self.by_module(name, args, task_vars)

    def watched(
        self, name: str, args: Mapping[str, Any], task_vars: Mapping[str, Any] | None
    ) -> AbstractContextManager[None]:
        """Tell the screen what the host waits for in the step of this name."""
        host = str((task_vars or {}).get("inventory_hostname", ""))
        return waiting.watched(name, host, str(args.get("stack", "")), self._asked)

    def by_module(
        self, name: str, args: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """What the step's module answers, which goes to the host with them."""
        module = f"{guarded.COLLECTION}.{name}"
        found: dict[str, Any] = self._execute_module(module, args, task_vars=task_vars)
        found.pop("invocation", None)
        return found

    def _only_looks(self, task_vars: Mapping[str, Any]) -> bool:
        plan_only = task_vars.get("__deploy_plan_only", False)
        return bool(self._task.check_mode) or values.boolean(plan_only, "__deploy_plan_only")

    def _asked(self, command: str) -> str:
        return str(self._low_level_execute_command(command)["stdout"])

    def _as_who_logs_in(self, command: str, text: bytes) -> Mapping[str, Any]:
        said: Mapping[str, Any] = self._low_level_execute_command(
            command, sudoable=False, in_data=text
        )
        return said

    def by_the_hosts_program(self, command: Sequence[str], given: Any) -> dict[str, Any] | None:
        """What the host's program answers; None where it is not the one of this checkout."""
        if not self._is_pipelining_enabled("new"):
            return None
        # Its archive and the standard library are all it needs: no site-packages, no PYTHON*.
        words = ["python3", "-I", "-S", str(AGENT), *command, agent_archive.identity()]
        said = self._low_level_execute_command(
            f"{self._compute_environment_string()} {shlex.join(words)}".strip(),
            in_data=json.dumps(_plain(given)).encode(),
        )
        # A shell may greet before it does what it is told.
        answers = [line for line in said["stdout"].splitlines() if line.startswith("{")]
        if said["rc"] == 0 and answers:
            answer: dict[str, Any] = json.loads(answers[-1])
            return answer
        if said["rc"] in (OTHER_PROGRAM, *NO_PROGRAM):
            return None
        raise MaestroError(
            f"the host's program ended with exit code {said['rc']} and no answer:\n"
            f"{said['stderr']}",
            where=str(AGENT),
            fix="maestro.stacks.provision installs it anew",
        )


def checked(step: steps.Step, args: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the step's specification wants them, or `AnsibleActionFail`."""
    checked = ArgumentSpecValidator(step.specification()).validate(args)
    if checked.error_messages:
        raise AnsibleActionFail("; ".join(checked.error_messages))
    found: dict[str, Any] = checked.validated_parameters
    return found


def named(step: steps.Step, args: Mapping[str, Any]) -> None:
    """Refuse what cannot be a stack's or a release's name, before a host is asked."""
    # Some steps look at all stacks where none is named.
    if "stack" in args and (args["stack"] or "stack" not in step.arguments):
        naming.stack(str(args["stack"]))
    if args.get("to"):
        naming.part(str(args["to"]), "a release", "-e to")


def _plain(value: Any) -> Any:
    """The value without what Ansible knows of it, as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class SecretAction(StepAction):
    """Take the step of the task's name with a ``payload`` of secrets.

    The task's own arguments and its result never hold a value: they are read here, on the
    controller, and travel to the host as standard input. The task names the deploy's
    ``request``, which says where the secrets are, and what is the host's ``own`` in it.
    """

    with_secrets: ClassVar[bool] = False
    with_login: ClassVar[bool] = False

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers; `MaestroError` when a secret cannot be read."""
        request: DeployRequest = args["request"]
        if "own" in args:
            request = args["request"] = host_variables.settled(request, args.pop("own"))
        names = list(request["secret_names"]) if self.with_secrets else []
        if "files" in args:
            names = sorted({str(item["name"]) for item in args["files"]})
        values = controller.read_secrets(
            {**request, "secret_names": names}, self._loader, registry=self.with_login
        )
        args["payload"] = controller.payload(values, names, request)
        return super().step(args, task_vars)


class GuardedAction(StepAction):
    """Take the step of the task's name for a run that is allowed; one task instead of two.

    ``guard`` is what `controller.guard_play` takes. With a ``request`` the step gets the
    values of its secrets as ``payload``, read as is the host's ``own``.
    """

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers; `MaestroError` when the run is refused."""
        guard, request = args.pop("guard"), args.pop("request", {})
        values_of = args.pop("own", {})
        extra = controller.said(self._loader)
        controller.guard_play(guard, task_vars or {}, extra, check_mode=self._task.check_mode)
        if request:
            # No plan of a deploy follows, which would tell them with all else.
            raise_all(brought.of(request.get("problems") or ()))
            request = host_variables.settled(request, values_of) if values_of else request
            values = controller.read_secrets(request, self._loader)
            args["payload"] = controller.payload(values, request["secret_names"], request)
        return super().step(args, task_vars)


class StatesAction(LocalAction):
    """Answer from what a step registered as ``states`` on all ``hosts``.

    Runs once; what it shows is for all hosts together.
    """

    def answer(
        self, states: Mapping[str, Any], lost: Sequence[str], hostvars: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The task's result, from the states of the hosts that were reached; ``lost`` were not."""
        raise NotImplementedError

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Answer the task."""
        found = {
            host: registered.of(task_vars, host, args["states"]) or {} for host in args["hosts"]
        }
        states = controller.reached(found)
        lost = [host for host in found if host not in states]
        return self.answer(states, lost, task_vars["hostvars"])


def approve(
    decision: Decision,
    guard: Mapping[str, Any],
    states: Mapping[str, Any],
    lost: Sequence[str],
    *,
    dry: bool,
) -> None:
    """Put the approval into a decision, or refuse it; a ``dry`` run is kept for who compares."""
    document = decision.document
    if document is None:
        return
    changing = [plan.host for plan in decision.plans if plan.changes]
    if dry:
        approval.check_plan(str(guard["approved_plan"] or ""), document)
        plan_files.remember(document)
        if guard.get("plan_file"):
            text = plan_files.text(document, changes=bool(changing), lost=list(lost))
            Path(str(guard["plan_file"])).expanduser().write_text(text, encoding="utf-8")
        return
    if not changing:
        return
    need = approval.Need.of(guard, document.environment, states, changing)
    decision.approval = approval.settled(document, guard, need)
    decision.approved_by = decision.approval["approved_by"]
    for manifest in document_of.manifests(decision):
        manifest["approved_by"] = decision.approved_by


# The states have to be read again before there can be a decision.
AGAIN = {"again": True, "changing": [], "hosts": {}, "parts": []}


class DecisionAction(StatesAction):
    """Decide what happens on every host, from their ``states``, and show it.

    All answers have one shape: the same steps carry them out. One that has not ``looked_again``
    says so where a change was left half-done: it has to be recovered first.
    """

    # What the step that registered ``states`` answers.
    record: ClassVar[type[Any]]

    def decide(self, args: Mapping[str, Any], states: Mapping[str, Any]) -> Decision:
        """The decision, from the states of the hosts that were reached."""
        raise NotImplementedError

    def answer(
        self,
        states: Mapping[str, Any],
        lost: Sequence[str],
        hostvars: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The decision as the following steps read it; `MaestroError` where it is not approved."""
        args = self._task.args
        dry = self._task.check_mode or values.boolean(
            args["guard"]["plan_only"], "__deploy_plan_only"
        )
        if not dry and not args.get("looked_again", True) and any(map(_abandoned, states.values())):
            return dict(AGAIN)
        decision = self.decide(args, controller.whole(states, self.record))
        approve(decision, args["guard"], states, lost, dry=dry)
        text = describe.describe(decision.plans, decision.digest, lost, decision.notes)
        Display().display(screen.wrapped(text))
        answer = decision.answer()
        run = runs.announce() if answer["changing"] and not self._task.check_mode else ""
        for work in answer["hosts"].values():
            work["claim"]["run"] = run
        urls = {host: str(hostvars[host].get("maestro_url", "")) for host in states}
        found = {**answer, "again": False, "closing": closing.facts(decision, urls)}
        if not answer["changing"]:
            return {**found, "agent": "", "parts": []}
        agent = agent_archive.identity()
        parts = [] if self._task.check_mode else course.parts(answer, states, agent)
        if self._task.check_mode or self._task.diff:
            parts = [course.Part("announce").as_item(), *parts]
        return {**found, "agent": agent, "parts": parts}


def _abandoned(state: Mapping[str, Any]) -> bool:
    """Whether the owner of the host's lease has vanished and left a change half-done."""
    lease = state.get("lease") or {}
    return bool(lease.get("armed")) and not lease["held"]

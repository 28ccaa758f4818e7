"""Run a command in a container of a service, and show what it wrote."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.utils.display import Display

from maestro.errors import MaestroError
from maestro.play import operator, values
from maestro.play.action import GuardedAction


class ActionModule(GuardedAction):
    """Takes the step `execute`; ``command`` is one line, as a shell would split it."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers; a failure where the command failed."""
        if values.boolean(args["guard"]["approval_required"], "deploy_approval_required"):
            raise MaestroError(
                "changes of this environment need an approval, and a command has no plan",
                where="playbooks/exec.yml",
                fix="put what it does into a migration or a job of the stack",
            )
        args["argv"] = _words(str(args.pop("command")))
        if not str(args["service"]) or "," in str(args["service"]):
            raise MaestroError("name one service", where="-e service", fix="-e service=web")
        answer = super().step({**args, "by": operator.who()}, task_vars)
        if "text" in answer:
            host = (task_vars or {})["inventory_hostname"]
            Display().display(f"{host}:\n{answer['text'].rstrip() or '(no output)'}\n")
        if answer.get("rc"):
            answer |= {"failed": True, "msg": f"the command ended with exit code {answer['rc']}"}
        return answer


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise MaestroError(f"found {error}", where="-e command", fix="close each quote") from None
    if not words:
        raise MaestroError(
            "name a command",
            where="-e command",
            fix="""-e '{"service": "web", "command": "ls -l /"}'""",
        )
    return words

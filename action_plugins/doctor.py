"""Say how the controller, the secrets and all hosts are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from maestro.play import controller, doctor, registered, screen
from maestro.play.action import LocalAction
from maestro.report import doctor as report


class ActionModule(LocalAction):
    """One table; changes nothing."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Fail where something has to be done; with a ``file`` the lines are written there."""
        found: dict[str, Any] = {
            host: registered.of(task_vars, host, args["checkups"]) or {} for host in args["hosts"]
        }
        reached = {
            host: given for host, given in found.items() if given.get("environment") is not None
        }
        groups = sorted({group for given in reached.values() for group in given["groups"]})
        deployed = {
            name for given in reached.values() for name in given.get("facts", {}).get("stacks", ())
        }
        checks = [
            *doctor.of_controller(controller.project()),
            *report.of_inventory({host: it["environment"] for host, it in reached.items()}, groups),
            *doctor.of_secrets(args["own"], deployed, self._loader),
            *(check for host, given in found.items() for check in report.of_host(host, given)),
        ]
        if args.get("file"):
            text = json.dumps(report.plain(checks))
            Path(str(args["file"])).write_text(text, encoding="utf-8")
        else:
            Display().display(report.table(checks, screen.width()))
        if report.failed(checks):
            return {"failed": True, "msg": "something has to be done, see the table"}
        return {}

"""Fails with a traceback that holds its argument."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):
    """Speaks through every method of the display, then raises."""

    def run(self, tmp=None, task_vars=None):
        value = self._task.args["value"]
        display.warning(f"a warning with {value}")
        display.v(f"a -v line with {value}")
        display.vvv(f"a -vvv line with {value}", host="somehost")
        display.error(f"an error with {value}")
        if self._task.args.get("crash"):
            raise RuntimeError(f"a traceback with {value}")
        return {"changed": False, "msg": value}

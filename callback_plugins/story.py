"""Shows a run as a person reads it; what is shown stands in maestro.play.story."""

from __future__ import annotations

DOCUMENTATION = """
name: story
type: stdout
short_description: Shows what is done, an error once, and one line at the end
description:
  - At a terminal a line moves while a step works. Elsewhere, as in CI, each line has the time.
  - With C(-v) it shows what Ansible's own plugin C(default) shows, and the last line.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author: The Maestro authors (!UNKNOWN)
requirements:
  - the Python package C(maestro)
"""

import atexit
import os
import signal
import sys
from typing import Any

from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default

from maestro.play import output, story


class CallbackModule(Default):  # type: ignore[misc]  # Ansible is not typed
    """Hands what Ansible tells to the story."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "maestro.stacks.story"

    def __init__(self) -> None:
        super().__init__()
        self._verbose = self._display.verbosity > 0
        self.story = story.Story(
            self._display.display, output.hide, story.command(sys.argv), quiet=self._verbose
        )
        output.shares_screen(self.story.screen.clear, self.story.waits)
        self._pid = os.getpid()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Be told of its end, however it ends."""
        if self._verbose:
            super().v2_playbook_on_start(playbook)
        atexit.register(self._at_exit)
        # Ansible's own handler ends a run at once; as after Ctrl-C, something is said before.
        handler = signal.getsignal(signal.SIGTERM)

        def terminated(number: int, frame: Any) -> None:
            if os.getpid() == self._pid:
                self.story.interrupted()
                sys.stdout.flush()
            if callable(handler):
                handler(number, frame)

        signal.signal(signal.SIGTERM, terminated)

    def _at_exit(self) -> None:
        if os.getpid() == self._pid:
            self.story.interrupted()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins."""
        if self._verbose:
            super().v2_playbook_on_play_start(play)
        self.story.play(play.get_name().strip(), dry=bool(context.CLIARGS.get("check")))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: FBT001
        """A task begins."""
        if self._verbose:
            super().v2_playbook_on_task_start(task, is_conditional)
        self._task(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins."""
        if self._verbose:
            super().v2_playbook_on_handler_task_start(task)
        self._task(task)

    def v2_playbook_on_cleanup_task_start(self, task: Any) -> None:
        """A task that cleans up begins."""
        self.v2_playbook_on_task_start(task, False)  # noqa: FBT003

    def _task(self, task: Any) -> None:
        self.story.task(task.get_name().strip(), str(task.action), once=bool(task.run_once))

    def v2_runner_on_start(self, host: Any, task: Any) -> None:  # noqa: ARG002
        """A host begins the task."""
        self.story.started(host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host has done it."""
        if self._verbose:
            super().v2_runner_on_ok(result)
        elif result.result.get("warnings") or result.result.get("deprecations"):
            self._handle_warnings(result.result)
        elif story.short(str(result.task.action)) == "debug":
            super().v2_runner_on_ok(result)
        self.story.ok(result.host.get_name(), result.result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """A host has failed it."""
        if self._verbose:
            super().v2_runner_on_failed(result, ignore_errors)
        if ignore_errors:
            self.story.skipped(result.host.get_name())
        else:
            self.story.failed(result.host.get_name(), result.result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        if self._verbose:
            super().v2_runner_on_unreachable(result)
        self.story.failed(result.host.get_name(), result.result, lost=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """The task was not for this host."""
        if self._verbose:
            super().v2_runner_on_skipped(result)
        self.story.skipped(result.host.get_name())

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """One item of a loop."""
        if self._verbose or story.short(str(result.task.action)) == "debug":
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """One item of a loop: said with the whole task."""
        if self._verbose:
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """One item of a loop."""
        if self._verbose:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: Any) -> None:
        """A task is tried again."""
        if self._verbose:
            super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Files of tasks are no part of the story."""
        if self._verbose:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Every host has said why."""
        if self._verbose:
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        hosts = sorted(stats.processed)
        counts = {host: stats.summarize(host) for host in hosts}
        if self._verbose:
            super().v2_playbook_on_stats(stats)
        elif not self.story.screen.moves:
            self.story.recap(counts)
        self.story.end(
            [host for host in hosts if counts[host]["failures"]],
            [host for host in hosts if counts[host]["unreachable"]],
        )

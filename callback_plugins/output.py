"""Switches on the redaction of all output; what it does stands in maestro.play.output."""

from __future__ import annotations

DOCUMENTATION = """
name: output
type: aggregate
short_description: Masks secrets in everything Ansible shows
description:
  - Shows nothing itself. It puts the redaction of C(maestro.redaction) under Ansible's display,
    so that every stdout callback, warning, C(-vvv) line, traceback and the log file
    show C(***) for a secret.
  - It is enabled by C(callbacks_enabled) in ansible.cfg.
author: The Maestro authors (!UNKNOWN)
requirements:
  - the Python package C(maestro)
"""

from ansible.plugins.callback import CallbackBase

from maestro.play import output, runs


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible is not typed
    """Installs the redaction when it is loaded, before the first event."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "maestro.stacks.output"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        output.install()
        runs.begin()

"""Filters for Docker's daemon.json; what they do stands in maestro.machine.docker_daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from maestro.machine import docker_daemon
from maestro.play.failing import as_ansible


@as_ansible(AnsibleFilterError)
def daemon_config(
    present: str, defaults: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge the file's text, the role's defaults and the operator's options."""
    return docker_daemon.merge(present, defaults, options)


def daemon_problems(present: str, options: Any) -> list[str]:
    """Return what is wrong with the file's text and with the operator's options."""
    return docker_daemon.problems(present, options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"daemon_config": daemon_config, "daemon_problems": daemon_problems}

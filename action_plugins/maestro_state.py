"""Read the state of a host in one module call."""

from __future__ import annotations

from maestro.action import SecretAction


class ActionModule(SecretAction):
    """Gives the step `maestro_state` what it needs of the secrets."""

    with_secrets = True
    with_login = True

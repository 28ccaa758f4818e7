"""Write secret files; their values travel as standard input."""

from __future__ import annotations

from maestro.play.action import SecretAction


class ActionModule(SecretAction):
    """Gives the step `secrets` what it needs of the secrets."""

    with_secrets = True
    with_login = False

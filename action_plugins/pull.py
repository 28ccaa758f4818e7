"""Pull images; the registry login stays in memory."""

from __future__ import annotations

from maestro.play.action import SecretAction


class ActionModule(SecretAction):
    """Gives the step `pull` what it needs of the secrets."""

    with_secrets = False
    with_login = True

"""Filter for OpenPGP keys; what it does stands in maestro.machine.openpgp."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from maestro.machine import openpgp
from maestro.play.failing import as_ansible


@as_ansible(AnsibleFilterError)
def openpgp_checked(armored: str, fingerprint: str) -> str:
    """Return the key when it is exactly the one of the fingerprint."""
    return openpgp.check(armored, fingerprint)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filter by name."""
        return {"openpgp_checked": openpgp_checked}

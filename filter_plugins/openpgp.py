"""Filter for OpenPGP keys; what it does stands in maestro.machine.openpgp."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from maestro.errors import MaestroError
from maestro.machine import openpgp


def openpgp_checked(armored: str, fingerprint: str) -> str:
    """Return the key when it is exactly the one of the fingerprint."""
    try:
        return openpgp.check(armored, fingerprint)
    except MaestroError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filter by name."""
        return {"openpgp_checked": openpgp_checked}

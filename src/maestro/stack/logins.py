"""The rule about programs that a stack tells to let everybody in without a password."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import isolation

if TYPE_CHECKING:
    from ..records import Service

# Variable -> the value that switches the login off, in small letters; as their manuals have it:
# https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/security-settings
# https://docs.opensearch.org/latest/security/configuration/disable-enable-security/
# https://hub.docker.com/_/postgres (POSTGRES_HOST_AUTH_METHOD)
SWITCHED_OFF = {
    "xpack.security.enabled": "false",
    "plugins.security.disabled": "true",
    "DISABLE_SECURITY_PLUGIN": "true",
    "POSTGRES_HOST_AUTH_METHOD": "trust",
}


def _look(service: Service, _: isolation.Place) -> Iterator[isolation.Finding]:
    """Values of the environment that switch a login off: who is in a network of it reads all."""
    for name, value in (service.get("environment") or {}).items():
        if str(value).strip().lower() == SWITCHED_OFF.get(name):
            yield isolation.Finding(
                f".environment.{name}",
                f"found {value}: everybody in its networks gets in without a password",
                "allowed: a password from a secret; without one only in development",
            )


RULE = isolation.Rule("no-login", _look)

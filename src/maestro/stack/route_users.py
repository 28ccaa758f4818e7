"""Routes whose users are in a secret: the route's service has to list it, as its reader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Compose, Extension


def problems(model: Compose, extension: Extension, stack: str) -> Iterable[MaestroError]:
    """Each that does not: so the secret has versions, and a rotation has a service to exchange."""
    for number, route in enumerate(extension.get("routes") or []):
        name, service = route.get("basic_auth"), str(route.get("service"))
        if not name or service not in model["services"]:
            continue
        read = model["services"][service].get("secrets") or []
        if name not in {str(item.get("source")) for item in read}:
            yield MaestroError(
                f"the service {service} does not read the secret {name}",
                where=f"{stack}/compose.yaml: x-maestro.routes[{number}].basic_auth",
                fix=f"add it to services.{service}.secrets: [{name}], and at the top level "
                f"secrets: {{{name}: {{file: ./{name}}}}} (the file is for development)",
            )

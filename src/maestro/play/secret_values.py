"""Whether every secret that a deploy needs has a value, before a host is spoken to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..secrets.source import SecretProblem, VaultLoader
from . import controller, problems

if TYPE_CHECKING:
    from ..records import DeployRequest


def checked(request: DeployRequest, loader: VaultLoader) -> DeployRequest:
    """The request, with what is wrong with its secrets among its problems."""
    try:
        controller.read_secrets(request, loader, registry=True)
    except MaestroError as refused:
        found = problems.each(refused)
        lacking = controller.wanted_secrets(request, registry=True)
        if all(isinstance(one, SecretProblem) for one in found):
            lacking = [name for one in found for name in getattr(one, "names", ())]
        before = request.get("problems") or []
        return {**request, "problems": [*before, *problems.as_facts(found)], "lacking": lacking}
    return request

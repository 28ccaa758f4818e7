"""Lookup: one secret of the environment, from the source that `maestro_secrets` names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: Read secrets of the environment from Maestro's source of secrets
description:
  - Returns secrets that belong to the environment and not to one stack, such as the password
    of the registry. Use it under C(no_log) only.
options:
  _terms: {description: Names of the secrets, required: true}
"""


from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from maestro.play.controller import project
from maestro.play.failing import as_ansible
from maestro.secrets.source import COMMON
from maestro.secrets.sources import open_source


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible is not typed
    """What Ansible loads."""

    def run(self, terms, variables=None, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003, ANN201, ARG002
        """Return the values of the names."""
        known = variables or {}
        settings, environment = (
            self._templar.template(known.get(name, default))
            for name, default in (("maestro_secrets", {}), ("maestro_environment", "development"))
        )
        with as_ansible(AnsibleError):
            source = open_source(
                settings, environment=environment, stack=COMMON, root=project(), loader=self._loader
            )
            values = source.read(terms)
        return [values[name] for name in terms]

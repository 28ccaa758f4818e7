"""The host's program as a file on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: agent
short_description: The host's program, built from this checkout
description:
  - Builds the program that role host_agent installs and answers the path of its file.
options:
  _terms: {description: C(digest) for the SHA-256 of the file instead of its path., required: false}
author: The Maestro authors (!UNKNOWN)
"""
EXAMPLES = r"""
- name: Install the program
  ansible.builtin.copy:
    src: "{{ lookup('maestro.stacks.agent') }}"
    dest: /usr/local/lib/maestro/agent.pyz
    mode: "0755"
"""
RETURN = r"""
_raw: {description: The path or the digest., type: list, elements: str}
"""

import os
from typing import Any

from ansible.plugins.lookup import LookupBase

from maestro.play import agent_archive, controller


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible is not typed
    """Builds the archive; the same bytes for the same sources."""

    def run(
        self,
        terms: list[Any],
        variables: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Answer the lookup."""
        self.set_options(var_options=variables, direct=kwargs)
        if "digest" in terms:
            return [agent_archive.digest()]
        path = controller.project() / ".cache" / "agent.pyz"
        built = agent_archive.build()
        if not path.exists() or path.read_bytes() != built:
            path.parent.mkdir(exist_ok=True)
            # In one step: another play may be reading it.
            new = path.with_name(f".agent-{os.getpid()}.pyz")
            new.write_bytes(built)
            new.replace(path)
        return [str(path)]

"""Ansible module: what a host is, and who approves changes there, see `maestro.host.identity`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: identity
short_description: Tell a host what it is, and who approves changes there
description:
  - Writes /etc/maestro/host.json and /etc/maestro/allowed_signers, which the host's own program
    reads before it changes anything.
  - On a host that asks for an approval, a change of them needs one too.
options:
  stack:
    description: With V(allowed), the stack whose lease is held; else none, it is about the host.
    type: str
    default: ""
  state:
    description:
      - V(asked) only answers what the host is; V(present) makes it what O(settings) says.
      - V(allowed) fails where the host asks for an approval before O(what) is changed.
      - V(ended) says that an approved provisioning is done; from then on it is refused again.
    type: str
    choices: [asked, present, allowed, ended]
    default: present
  what:
    description: What is about to be changed, for the message.
    type: str
    default: ""
  token:
    description: Token of the lease of an approved run.
    type: str
    default: ""
  settings:
    description:
      - C(host), C(environment), C(approval), C(signers) (each with C(name), C(key), C(accounts)),
        C(own), C(hours) and C(issuers) (each with C(issuer), C(keys), C(claims), C(approver) and
        C(reviewed)).
    type: dict
    default: {}
  approval:
    description: The plan of this change and its approval, as the action plugin makes them.
    type: dict
    default: {}
  by:
    description: Who runs it; known to the action plugin.
    type: str
    default: ""
extends_documentation_fragment: [maestro.stacks.step]
attributes:
  check_mode: {support: full, description: Nothing is written in check mode.}
"""
EXAMPLES = r"""
- name: Tell the host what it is
  maestro.stacks.identity:
    root: /opt/maestro
    settings: {host: web-1, environment: production, approval: true, signers: []}
"""
RETURN = r"""
identity: {description: What the host is., returned: asked, type: dict}
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("identity")

"""Ansible module: bring services to a release, see `maestro.host.roll`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: up
short_description: Bring services to a release
description:
  - Exchanges services level by level by their own rules, and waits until each is healthy.
options:
  release:
    description: Id of the release, staged or committed.
    type: str
    required: true
  services:
    description: Hash, replicas and rules of every service of the release.
    type: dict
    required: true
  routes:
    description: The routes of the release.
    type: list
    elements: dict
    required: true
  kind:
    description: Whose rules count, update_config's or rollback_config's.
    choices: [update, rollback]
    default: update
    type: str
  together:
    description: Whether levels that start beside what runs are brought up at the same time.
    default: false
    type: bool
  levels:
    description: Services to bring up, in levels.
    type: list
    elements: list
    required: true
  recreate:
    description: Services that get a new container in any case.
    type: list
    elements: str
    required: true
  remove_first:
    description: Services to remove before, because their ports are needed.
    type: list
    elements: str
    required: true
  networks:
    description: Networks to make anew, each with all its containers.
    type: list
    elements: str
    default: []
  canary:
    description: Whether new containers are tried on a part of the requests first.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for healthy services.
    type: float
    required: true
  settle:
    description: Seconds a container without a health check must run without a restart.
    type: float
    default: 10
extends_documentation_fragment: [maestro.stacks.step, maestro.stacks.step.lease]
attributes:
  check_mode: {support: none, description: The plan says what would be done.}
"""
EXAMPLES = r"""
- name: Bring services to the staged release
  maestro.stacks.up:
    root: /opt/maestro
    stack: shop
    lease: 0123456789abcdef
    release: 20260101T120000Z-1f2e
    services: {app: {hash: 0a1b, replicas: 2}}
    routes: []
    levels: [[db], [app]]
    recreate: []
    remove_first: []
    timeout: 120
"""
RETURN = r"""
created: {description: Services that are new., returned: success, type: list}
replaced: {description: Services with a new container., returned: success, type: list}
removed: {description: Services that are gone., returned: success, type: list}
requests:
  description: Requests to the stack meanwhile, C(all) and what C(failed) (status 500 or more).
  returned: success, where the host has an edge that tells
  type: dict
"""

from ansible_collections.maestro.stacks.plugins.module_utils import step

if __name__ == "__main__":
    step.run("up")

"""Ansible module: the digest of the edge's image, see `maestro.host.edge_image`."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_image
short_description: Find the digest of the edge's image
description:
  - Taken from the image the host has under this name; where it has none, it is pulled.
options:
  image:
    description: Image with a tag and without a digest.
    type: str
    required: true
  again:
    description: Ask the registry also where the host has an image of this name.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Pulls nothing; an image the host has not stays as it is.}
  diff_mode: {support: none, description: There is nothing to show.}
author: The Maestro authors (!UNKNOWN)
"""
EXAMPLES = r"""
- name: Find the digest of the edge's image
  maestro.stacks.edge_image:
    image: traefik:v3.7.15
  register: found
"""
RETURN = r"""
image:
  description: The image with its digest.
  type: str
  returned: success
  sample: "traefik:v3.7.15@sha256:..."
"""

from ansible_collections.maestro.stacks.plugins.module_utils import work
from ansible_collections.maestro.stacks.plugins.module_utils.maestro.host import provisioning

if __name__ == "__main__":
    work.run(provisioning.find_edge_image, provisioning.EDGE_IMAGE)

"""Ansible module: the digest of the edge's image, see `maestro.host.edge_image`."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.maestro.errors import MaestroError
from ansible.module_utils.maestro.host import edge_image

DOCUMENTATION = r"""
module: maestro_edge_image
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
  diff_mode: {support: none}
author: The Maestro authors
"""
EXAMPLES = r"""
- name: Find the digest of the edge's image
  maestro_edge_image:
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


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        found = edge_image.resolve(
            module.params["image"], again=module.params["again"], check=module.check_mode
        )
    except MaestroError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, image=found)


if __name__ == "__main__":
    main()

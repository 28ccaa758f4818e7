"""A `MaestroError` in a plugin is shown as Ansible's own: its message, and no traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ansible.errors import AnsibleActionFail, AnsibleError

from ..errors import MaestroError


@contextlib.contextmanager
def as_ansible(kind: type[AnsibleError] = AnsibleActionFail) -> Iterator[None]:
    """Raise errors of ours as ``kind``; also a decorator."""
    try:
        yield
    except MaestroError as error:
        raise kind(str(error)) from None

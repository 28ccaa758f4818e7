"""Secrets that containers have in their environment: Compose is given them when it runs.

A release's Compose file has a variable in place of such a value: ``${MAESTRO_SECRET_HEX:?...}``,
where HEX is the path of the secret's file below the stack's secrets. Compose finds the value in
its own environment, which only root can read, and gives it to the container. So it is in no other
file and in no argument; the container's configuration has it, as for every variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from .secret_files import SecretFile

PREFIX = "MAESTRO_SECRET_"
# What stands in a release; Compose says the words where it was not given the value.
_VARIABLE = re.compile(rf"(?<!\$)\$\{{{PREFIX}([0-9a-f]+):\?[^}}]*\}}")


def reference(path: str) -> str:
    """What stands in a release for the content of a secret's file (`SecretFile.path`)."""
    return f"${{{PREFIX}{path.encode().hex()}:?the secret is not on this host}}"


def paths(text: str) -> list[str]:
    """The files of secrets that a text of a release refers to, each once."""
    return list(dict.fromkeys(bytes.fromhex(found).decode() for found in _VARIABLE.findall(text)))


def files(text: str) -> list[SecretFile]:
    """The same as secret files."""
    return [SecretFile.at(f"/{path}") for path in paths(text)]


def renamed(text: str, found: SecretFile, wanted: SecretFile) -> str:
    """The text with another file in place of one."""
    return text.replace(reference(found.path), reference(wanted.path))


def stand_ins(text: str) -> dict[str, str]:
    """What a release's text is read with before its secrets are there."""
    return {PREFIX + path.encode().hex(): "x" for path in paths(text)}


def values(argv: Sequence[str]) -> dict[str, str]:
    """What a command of Compose has to be given: the secrets of the release's file that it names.

    A secret that is not there is not given: Compose refuses to start its service.
    """
    given: dict[str, str] = {}
    for option, name in pairwise(argv):
        file = Path(name)
        # STACK/releases/ID/compose.yaml
        if option != "--file" or len(file.parts) < 5 or file.parts[-3] != "releases":
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except OSError:
            continue
        for path in paths(text) if PREFIX in text else ():
            try:
                raw = (file.parents[2] / "secrets" / path).read_bytes()
            except OSError:
                continue
            given[PREFIX + path.encode().hex()] = os.fsdecode(raw)
    return given

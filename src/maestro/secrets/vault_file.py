"""A stack's Vault file: read, and written anew without a value in the clear on disk."""

from __future__ import annotations

import os
import secrets as random
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, get_file_vault_secret

from .renewal import RANDOM_BYTES
from .source import parse_mapping


class VaultFile:
    """One encrypted file of secrets that is written whole or not at all."""

    def __init__(self, path: Path, where: str, password_file: Path) -> None:
        self.path = path
        self.where = where
        self.loader = DataLoader()
        self._secret = get_file_vault_secret(filename=str(password_file), loader=self.loader)
        self._secret.load()
        self.loader.set_vault_secrets([("default", self._secret)])

    def text(self) -> str:
        """Return the decrypted text of the file, nothing where there is none."""
        path = str(self.path)
        return "".join(self.loader.get_text_file_contents(path)) if self.path.exists() else ""

    def set(self, values: Mapping[str, str]) -> None:
        """Write ``values`` into the file; the other lines, comments too, stay as they are."""
        new = with_values(self.text(), values, self.where)
        encrypted = VaultLib().encrypt(new, secret=self._secret)
        for folder in (self.path.parent.parent, self.path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.path, encrypted)


def with_values(text: str, values: Mapping[str, str], where: str) -> str:
    """Return the YAML text with ``values`` set, and everything else untouched."""
    wanted = {name: found.value for name, found in parse_mapping(text, where).items()}
    wanted.update(values)
    changed = text
    for name, value in values.items():
        changed = _with_value(changed, name, value)
    # In a file of flow style ({a: b}) no line can be added: it is written anew.
    return changed if _means(changed, wanted) else yaml.safe_dump(wanted)


def _means(text: str, wanted: Mapping[str, object]) -> bool:
    try:
        return bool(yaml.safe_load(text) == wanted)
    except yaml.YAMLError:
        return False


def _with_value(text: str, name: str, value: str) -> str:
    scalar = yaml.safe_dump(value, default_style='"', width=sys.maxsize).strip()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, node in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == name:
            start, end = node.start_mark.index, node.end_mark.index
            newline = "\n" if text[start:end].endswith("\n") else ""
            return text[:start] + scalar + newline + text[end:]
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{newline}{name}: {scalar}\n"


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 at once: a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class Vault:
    """The stack's own vault file while its values are exchanged.

    The file as it was stands beside it, encrypted as it was, until the new values serve.
    """

    def __init__(self, path: Path, where: str, secrets: list[Any]) -> None:
        self.path = path
        self.where = where
        self.before = path.with_name(f".{path.name}.before")
        self._vault = VaultLib(secrets)

    def values(self) -> dict[str, object]:
        """What stands in the file; nothing where there is none."""
        if not self.path.exists():
            return {}
        text = self._vault.decrypt(self.path.read_bytes()).decode()
        return {name: found.value for name, found in parse_mapping(text, self.where).items()}

    def renew(self, names: Iterable[str]) -> None:
        """Put random values in the place of those of ``names``; all else stays as it is."""
        data = self.path.read_bytes()
        text, _, secret = self._vault.decrypt_and_get_vault_id(data)
        values = {name: random.token_hex(RANDOM_BYTES) for name in names}
        new = with_values(text.decode(), values, self.where)
        write_private(self.before, data)
        write_private(self.path, VaultLib().encrypt(new, secret=secret))

    def settle(self, *, keep: bool) -> bool:
        """Keep the new values, or put the old ones back; whether there was anything to settle."""
        if not self.before.exists():
            return False
        if keep:
            size = self.before.stat().st_size
            with self.before.open("r+b", buffering=0) as stream:
                stream.write(os.urandom(size))
                os.fsync(stream.fileno())
            self.before.unlink()
        else:
            self.before.replace(self.path)
        return True

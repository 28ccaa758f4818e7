"""The sources that settings can name: encrypted files, the environment, a directory."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from ..errors import MaestroError, raise_all
from .command import CommandSource
from .encrypted import SopsSource, VaultSource
from .source import NAME, Found, Place, SecretSource, VaultLoader, read_bytes

ENVIRONMENT_PREFIX = "MAESTRO_SECRET_"


class EnvironmentSource(SecretSource):
    """``MAESTRO_SECRET_DB_PASSWORD`` and so on in the environment of the controller.

    It is there for ``db_password``, ``db-password`` and ``DB.PASSWORD`` alike: a variable's name
    has no dash and no dot.
    """

    title = "the environment"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def how_to_add(self, name: str) -> str:
        """Return the variable to set."""
        return f"set the environment variable {_variable(name)}"

    def _load_those(self, names: list[str]) -> dict[str, Found]:
        found = {name: _variable(name) for name in names}
        return {
            name: Found(self.environ[key], key)
            for name, key in found.items()
            if key in self.environ
        }

    def _load(self) -> dict[str, Found]:
        return {
            key.removeprefix(ENVIRONMENT_PREFIX).lower(): Found(value, key)
            for key, value in self.environ.items()
            if key.startswith(ENVIRONMENT_PREFIX)
            and key == key.upper()
            and NAME.match(key.removeprefix(ENVIRONMENT_PREFIX).lower())
        }


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + re.sub(r"[.-]", "_", name).upper()


class DirectorySource(SecretSource):
    """One file per secret: ``secrets/ENVIRONMENT/STACK/NAME``.

    One newline at the end is taken off, as editors and ``echo`` put one there; a value
    that ends in a newline is stored with two.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folders = place.candidates("")
        self.title = place.show(self.folders[-1])

    def how_to_add(self, name: str) -> str:
        """Return the command that writes one file nobody else can read."""
        return f"install -D -m 600 /dev/stdin {self.title}/{name}"

    def _load(self) -> dict[str, Found]:
        files = [
            path
            for folder in self.folders
            if folder.is_dir()
            for path in sorted(folder.iterdir())
            if NAME.match(path.name) and path.is_file()
        ]
        problems = [
            MaestroError(
                "others than its owner have access to it",
                where=self.place.show(path),
                fix=f"chmod 600 {self.place.show(path)}",
            )
            for path in files
            if stat.S_IMODE(path.stat().st_mode) & 0o077
        ]
        raise_all(problems)
        return {path.name: self._found(path) for path in files}

    def _found(self, path: Path) -> Found:
        where = self.place.show(path)
        # Bytes that are not UTF-8 become lone surrogates, which no value may hold.
        text = read_bytes(path, where).decode("utf-8", errors="surrogateescape")
        return Found(text.removesuffix("\n").removesuffix("\r"), where)


SOURCES = ("vault", "sops", "environment", "directory", "command")
_KEYS = {"source", "path"}
_KEYS_OF_COMMAND = {"source", "command", "timeout"}


def open_source(
    settings: Mapping[str, object] | None,
    *,
    environment: str,
    stack: str,
    root: Path,
    loader: VaultLoader | None = None,
    environ: Mapping[str, str] | None = None,
) -> SecretSource:
    """Open the source that ``maestro_secrets`` names for one stack in one environment.

    ``settings`` has ``source`` (one of ``SOURCES``, by default vault) and, for the sources
    that are files, ``path`` (a directory instead of ``secrets``, relative to ``root``); for
    ``command``, ``command`` and ``timeout``, see `CommandSource`.
    ``loader`` is Ansible's DataLoader, which knows the vault passwords; vault needs it.
    """
    settings = settings or {}
    environ = os.environ if environ is None else environ
    source = _check_settings(settings, environment, stack)
    path = Path(str(settings.get("path") or "secrets")).expanduser()
    place = Place(environment, stack, root, root / path)
    if source == "environment":
        return EnvironmentSource(environ)
    if source == "directory":
        return DirectorySource(place)
    if source == "sops":
        return SopsSource(place)
    if source == "command":
        return CommandSource(place, settings.get("command"), settings.get("timeout"))
    if loader is None:
        raise TypeError("the source vault needs Ansible's DataLoader")
    return VaultSource(place, loader, environ)


def _check_settings(settings: Mapping[str, object], environment: str, stack: str) -> str:
    source = settings.get("source", "vault")
    problems = []
    if source not in SOURCES:
        problems.append(
            MaestroError(
                f"there is no source {source!r} for secrets",
                where="maestro_secrets.source",
                fix=f"one of: {', '.join(SOURCES)}",
            )
        )
    known = _KEYS_OF_COMMAND if source == "command" else _KEYS
    problems += [
        MaestroError(
            f"unknown key {key!r}",
            where="maestro_secrets",
            fix=f"known: {', '.join(sorted(known, reverse=True))}",
        )
        for key in sorted(set(settings) - known)
    ]
    if source == "environment" and settings.get("path"):
        problems.append(
            MaestroError("the source environment has no path", where="maestro_secrets.path")
        )
    for what, name in (("environment", environment), ("stack", stack)):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            problems.append(MaestroError(f"{name!r} cannot name a {what}", where="secrets"))
    raise_all(problems)
    return str(source)

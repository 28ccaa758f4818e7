"""Where a stack's secrets come from: the small interface of all sources.

A ``SecretSource``'s ``read`` returns the values that were asked
for, or one error that names every missing secret and how to add it. No exception, ``repr``
or log line of this module holds a value, and no exception chains one that might.

A value is text: one line or many, any Unicode, taken as it stands. Refused are an empty
value, one of white space only, one with a NUL, and anything that is not text.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from ..errors import MaestroError, raise_all

# What Compose takes, but for a dot or a dash first: a name is a file's name too.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
NAME_RULE = "a secret's name has letters, digits, _, - and ., and begins with no - or ."
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


class SecretProblem(MaestroError):
    """What is wrong with the secrets of these ``names``, and with no other."""

    def __init__(self, what: str, names: list[str], *, where: str = "", fix: str = "") -> None:
        self.names = names
        super().__init__(what, where=where, fix=fix)


class SecretSource(ABC):
    """Secrets of one stack in one environment; a stack's own win over the environment's."""

    title: str

    @abstractmethod
    def _load(self) -> dict[str, Found]:
        """Return everything the source holds, read once per call."""

    def _load_those(self, names: list[str]) -> dict[str, Found]:
        """Return what the source holds, with at least those of these names."""
        return self._load() if names else {}

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
        problems: list[MaestroError] = [
            SecretProblem(f"{name!r} cannot name a secret", [name], fix=NAME_RULE)
            for name in wanted
            if not NAME.match(name)
        ]
        found = self._load_those(wanted)
        missing = [name for name in wanted if NAME.match(name) and name not in found]
        if missing:
            problems.append(self._missing(missing))
        problems += [
            SecretProblem(f"the secret {name} {problem}", [name], where=found[name].where)
            for name in wanted
            if name in found and (problem := value_problem(found[name].value))
        ]
        raise_all(problems)
        return Secrets({name: str(found[name].value) for name in wanted})

    def _missing(self, names: list[str]) -> MaestroError:
        several = "s" if len(names) > 1 else ""
        ways = "".join(f"\n     {self.how_to_add(name)}" for name in names)
        return SecretProblem(
            f"missing secret{several}: {', '.join(names)}",
            names,
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


def read_bytes(path: Path, where: str) -> bytes:
    """Return the bytes of a file; `MaestroError` with its place where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise MaestroError(f"cannot be read: {error.strerror}", where=where) from None

"""Every Compose file a stack consists of, and the files these name, by Compose's own rules.

An included file's paths start at its project directory, an extended file's where it stands; what
a path holds of variables is filled in. Sources: 14-include.md and `extends` in 05-services.md of
https://github.com/compose-spec/compose-spec.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import compose_yaml, mounts
from .directory import Sources, climbs
from .interpolation import Missing, dotenv, fill

if TYPE_CHECKING:
    from ..records import Written

MOST_FILES = 200
FIRST = "VERSION"  # known at the host alone where no version is asked for


@dataclass(frozen=True)
class Part:
    """One Compose file.

    ``path`` is where it stands in the stack's directory, ``home`` where its own paths start.
    ``values`` fill in its variables. ``base`` is true of the stack's own files.
    """

    path: str
    home: str
    document: Written
    values: Mapping[str, str]
    base: bool
    # Services that are not added to an earlier file's, see `compose_yaml.replaced_services`.
    replaced: Mapping[str, bool] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Written]:
        """Its services, as far as they are mappings."""
        found = self.document.get("services")
        return {
            str(name): service or {}
            for name, service in (found if isinstance(found, dict) else {}).items()
            if (isinstance(service, dict) or service is None) and self.replaced.get(str(name), True)
        }

    def filled(self, value: Any) -> str | None:
        """A path with its variables filled in; nothing where one of them has no value."""
        try:
            return fill(str(value), self.values)
        except Missing:
            return None


@dataclass
class Tree:
    """The parts of a stack, base files first, and who extends whom.

    ``extended`` are the services that are extended from other files: with which part they
    were read, by ``(path, name)``.
    """

    sources: Sources
    parts: list[Part] = field(default_factory=list)
    extended: dict[tuple[str, str], Part] = field(default_factory=dict)
    problems: list[MaestroError] = field(default_factory=list)
    # Files of configs that are not there, by the config's name.
    _absent: list[tuple[str, MaestroError]] = field(default_factory=list)
    _read: dict[str, Written] = field(default_factory=dict)
    _replaced: dict[str, dict[str, bool]] = field(default_factory=dict)

    def base(self, path: str, *, first: bool = True) -> Written:
        """Read one of the stack's own files; `MaestroError` where it is no Compose file.

        One beside the ``first`` may have no services, but ``x-maestro`` or volumes.
        """
        return self._document(path, "", anything=not first)

    def grow(self, documents: Mapping[str, Written], values: Mapping[str, str]) -> None:
        """Add the stack's own files and all that they name."""
        for path, document in documents.items():
            replaced = self._replaced.get(path, {})
            self._add(Part(path, "", document, values, base=True, replaced=replaced), ())
        # Nobody reads the file of a config that no service has, so it may be missing.
        used = {
            source
            for part in [*self.parts, *self.extended.values()]
            for service in part.services.values()
            for source in source_names(service.get("configs"))
        }
        self.problems += [problem for name, problem in self._absent if name in used]

    def _add(self, part: Part, above: tuple[str, ...]) -> None:
        self.parts.append(part)
        for number, entry in enumerate(entries(part.document.get("include"))):
            where = f"{self.sources.name}/{part.path}: include[{number}]"
            try:
                self._include(part, entry, where, (*above, part.path))
            except MaestroError as problem:
                self.problems.append(problem)
        for name in part.services:
            self._files_of(part, name, f"{self.sources.name}/{part.path}: services.{name}", ())
        configs = part.document.get("configs")
        for name, config in (configs if isinstance(configs, dict) else {}).items():
            if isinstance(config, dict) and "file" in config:
                where = f"{self.sources.name}/{part.path}: configs.{name}.file"
                before = len(self.problems)
                self._take(part, config["file"], where)
                path = part.filled(config["file"])
                if path and not self.sources.there(posixpath.join(part.home, path)):
                    self._absent += [(str(name), problem) for problem in self.problems[before:]]
                    del self.problems[before:]

    def _include(self, part: Part, entry: Any, where: str, above: tuple[str, ...]) -> None:
        said = entry if isinstance(entry, dict) else {"path": entry}
        paths = [self._path(part, path, where) for path in entries(said.get("path"))]
        if not paths or None in paths:
            return
        first, *_ = found = [str(path) for path in paths]
        directory = said.get("project_directory")
        home = posixpath.dirname(first) if directory is None else self._path(part, directory, where)
        if home is not None and climbs(home):
            raise MaestroError(
                f"the project directory {home} lies outside the stack's directory",
                where=f"{where}.project_directory",
                fix="name a directory of the stack, or leave it out",
            )
        values = self._values(part, home or "", said.get("env_file"), where)
        for path in found:
            if path in above:
                raise MaestroError(
                    f"the files include each other in a circle: {' -> '.join([*above, path])}",
                    where=where,
                    fix="remove one of these includes",
                )
            document = self._document(path, where)
            self._add(Part(path, home or "", document, values, base=False), above)

    def _values(self, part: Part, home: str, env_file: Any, where: str) -> Mapping[str, str]:
        """What an included file is read with: the including one's values count more."""
        usual = posixpath.join(home, ".env")
        files = [self._path(part, path, f"{where}.env_file") for path in entries(env_file)]
        if env_file is None and self.sources.there(usual):
            files = [usual]
        found: dict[str, str] = {}
        for file in files:
            if file is not None:
                text = self.sources.text(file, where)
                found.update(dotenv(text, {**found, **part.values}))
        return {**found, **part.values}

    def _files_of(self, part: Part, name: str, where: str, above: tuple[Any, ...]) -> None:
        """What one service names: its environment files, and the service it extends."""
        service = part.services.get(name, {})
        for key in ("env_file", "label_file"):
            for entry in entries(service.get(key)):
                optional = isinstance(entry, dict) and entry.get("required") is False
                path = entry.get("path") if isinstance(entry, dict) else entry
                if path is not None:
                    self._take(part, path, f"{where}.{key}", optional=optional)
        for source in mounts.read_only(part, service):
            try:
                path = self._path(part, source, f"{where}.volumes")
                if path is not None:
                    mounts.take(self.sources, path, f"{where}.volumes")
            except MaestroError as problem:
                self.problems.append(problem)
        extends = service.get("extends")
        file = extends.get("file") if isinstance(extends, dict) else None
        if file is None or not isinstance(extends, dict):
            return
        try:
            path = self._path(part, file, f"{where}.extends.file")
            if path is None or (path, extends.get("service")) in above:
                return
            document = self._document(path, f"{where}.extends.file")
        except MaestroError as problem:
            self.problems.append(problem)
            return
        other = Part(path, posixpath.dirname(path), document, part.values, base=False)
        wanted = str(extends.get("service") or name)
        self.extended[path, wanted] = other
        place = f"{self.sources.name}/{path}: services.{wanted}"
        self._files_of(other, wanted, place, (*above, (path, wanted)))

    def _take(self, part: Part, value: Any, where: str, *, optional: bool = False) -> None:
        try:
            path = self._path(part, value, where)
            if path is None:
                return
            # What is not here may be there on a host: a path that climbs is read in no case.
            if not optional or climbs(path) or self.sources.there(path):
                self.sources.read(path, where)
        except MaestroError as problem:
            self.problems.append(problem)

    def _path(self, part: Part, value: Any, where: str) -> str | None:
        """A path of a part as one of the stack; nothing where a variable lacks (said elsewhere)."""
        try:
            found = fill(str(value), part.values)
        except Missing as missing:
            if missing.use.name != FIRST:
                return None
            raise MaestroError(
                "the path depends on the version, and none is asked for",
                where=where,
                fix="add -e version=TAG",
            ) from missing
        if "://" in found or found.startswith(("oci:", "git@")):
            raise MaestroError(
                f"{found} is not a file of the stack",
                where=where,
                fix="put the file below the stack's directory",
            )
        return posixpath.normpath(posixpath.join(part.home, found))

    def _document(self, path: str, where: str, *, anything: bool = False) -> Written:
        """A Compose file, read once; `MaestroError` where it is none."""
        if path in self._read:
            return self._read[path]
        if len(self._read) >= MOST_FILES:
            raise MaestroError(
                f"more than {MOST_FILES} Compose files", where=where, fix="join some of them"
            )
        name = f"{self.sources.name}/{path}"
        text = self.sources.text(path, where)
        document = compose_yaml.parse(text, name)
        anything = anything or bool(where)
        if document is None and anything:
            document = {}
        if not isinstance(document, dict) or not (
            isinstance(document.get("services"), dict) or document.get("include") or anything
        ):
            raise MaestroError(
                "not a Compose file: found no mapping under `services`",
                where=name,
                fix="a Compose file has at least `services: {NAME: {image: ...}}` or `include:`",
            )
        self._read[path] = document
        self._replaced[path] = compose_yaml.replaced_services(text)
        return document

    def all_parts(self) -> Iterator[tuple[Part, Written]]:
        """Each part with what of it counts: all of it, or the service that is extended."""
        for part in self.parts:
            yield part, part.document
        for (_, name), part in self.extended.items():
            yield part, {"services": {name: part.services.get(name, {})}}

    def secrets_of(self, name: str) -> set[str]:
        """The secrets one service reads: of all files, and of what it extends."""
        found: set[str] = set()
        for part in self.parts:
            if name in part.replaced:
                found = set()
            if name in part.services:
                found = self._secrets(part, name, found, set())
        return found

    def _secrets(
        self, part: Part, name: str, before: set[str], seen: set[tuple[str, str]]
    ) -> set[str]:
        service = part.services.get(name, {})
        found = set(before)
        extends = service.get("extends")
        if extends and (part.path, name) not in seen:
            seen.add((part.path, name))
            said = extends if isinstance(extends, dict) else {"service": extends}
            other = str(said.get("service") or name)
            for source in self._extended_by(part, said, other):
                found |= self._secrets(source, other, set(), seen)
        if "secrets" in service:
            entries = service["secrets"]
            if entries is None or isinstance(entries, compose_yaml.Override):
                found = set()
            found |= set(source_names(entries))
        return found

    def _extended_by(self, part: Part, said: Written, other: str) -> list[Part]:
        if "file" not in said:
            same = [part] if other in part.services else self.parts
            return [found for found in same if other in found.services]
        path = part.filled(said["file"])
        key = (posixpath.normpath(posixpath.join(part.home, path or "")), other)
        return [self.extended[key]] if key in self.extended else []

    def last(self, name: str, key: str) -> Any:
        """What the last file that says it gives as a key of a service, filled in if it is text."""
        found = None
        for part in self.parts:
            value = part.services.get(name, {}).get(key)
            if name in part.replaced:
                found = None
            if value is not None:
                found = part.filled(value) if isinstance(value, str) else value
        return found

    def profiles_of(self, name: str) -> set[str]:
        """The profiles one service is of, in any file."""
        found: set[str] = set()
        for part in self.parts:
            said = part.services.get(name, {}).get("profiles")
            if name in part.replaced or isinstance(said, compose_yaml.Override):
                found = set()
            for entry in entries(said):
                found.add(part.filled(entry) or str(entry))
        return found


def source_names(entries: Any) -> Iterable[str]:
    """The names in the short and the long form of a service's ``secrets`` or ``configs``."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and "source" in entry:
            yield str(entry["source"])


def entries(value: Any) -> list[Any]:
    """What stands under a key that takes one or a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]

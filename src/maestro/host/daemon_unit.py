"""The command line of the Engine's service: which file gives which flag.

systemd's syntax: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Where systemd looks for units, the first wins (systemd.unit(5)).
ROOTS = tuple(
    Path(path)
    for path in (
        *("/etc/systemd/system", "/run/systemd/system"),
        *("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"),
    )
)
_HEADER = re.compile(r"# (/\S+\.(?:service|conf))\Z")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)\Z")
# Keys of daemon.json whose flag has another name than the key, or than it without its `s`.
_SHORT = {"H": "host", "g": "data-root", "graph": "data-root", "s": "storage-driver"}
_SHORT |= {"l": "log-level", "D": "debug", "p": "pidfile", "G": "group", "b": "bridge"}
_FLAG_OF = {"insecure-registries": "insecure-registry", "runtimes": "add-runtime"}


@dataclass(frozen=True)
class Unit:
    """``words`` are the arguments after the program, each with the file that gives it.

    Where the service starts a script, its arguments are the script's: none is known.
    """

    program: str = ""
    words: list[tuple[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def flags(self) -> dict[str, str]:
        """Each flag by its long name, with its last value; one without a value is `true`."""
        return {name: value for name, value, _ in self._read()}

    def origin(self, key: str) -> str:
        """The file that gives the flag of a key of daemon.json."""
        names = (key, key.removesuffix("s"), _FLAG_OF.get(key, key))
        found = [file for name, _, file in self._read() if name in names]
        return found[-1] if found else ", ".join(self.files)

    def without(self, flag: str) -> list[str]:
        """The arguments without those of one flag."""
        kept = []
        skip = False
        for word, _ in self.words:
            if skip:
                skip = False
            elif word == f"--{flag}":
                skip = True
            elif not word.startswith(f"--{flag}="):
                kept.append(word)
        return kept

    def of(self, text: str, key: str) -> str:
        """The value of a key by the flags, or by a daemon.json's text; empty without one."""
        value = self.flags.get(key, _keys(text).get(key))
        return str(value).lower() if isinstance(value, bool) else str(value or "")

    def feature(self, text: str, name: str) -> str:
        """The value of one of a daemon.json's ``features``."""
        features = _keys(text).get("features")
        value = features.get(name) if isinstance(features, dict) else None
        return str(value).lower() if value is not None else "not set"

    def true(self, text: str, key: str) -> bool:
        """Whether a key is on."""
        return self.of(text, key) == "true"

    def setting(self, file: Path, key: str, default: str) -> str:
        """The value of a key by the flags or a file, with what holds when neither says."""
        try:
            text = file.read_text(encoding="utf-8")
        except OSError:
            text = ""
        return self.of(text, key) or default

    def _read(self) -> list[tuple[str, str, str]]:
        found = []
        words = [*self.words, ("", "")]
        for (word, file), (after, _) in itertools.pairwise(words):
            if not word.startswith("-"):
                continue
            name, given, value = word.lstrip("-").partition("=")
            if not given:
                value = "true" if after.startswith("-") or not after else after
            found.append((_SHORT.get(name, name), value, file))
        return found


def on_disk(name: str, roots: Sequence[Path] = ROOTS) -> str:
    """A unit and its drop-ins as `systemctl cat` prints them, also those not yet loaded."""
    main = next((root / name for root in roots if (root / name).is_file()), None)
    # A drop-in hides those of the same name in later directories; names give the order.
    extra: dict[str, Path] = {}
    for folder in (f"{name}.d", "service.d"):
        for root in roots:
            for path in (root / folder).glob("*.conf"):
                extra.setdefault(path.name, path)
    files = [*([main] if main else []), *(extra[key] for key in sorted(extra))]
    return "".join(
        f"# {path}\n{path.read_text(encoding='utf-8', errors='replace')}\n" for path in files
    )


def parse(text: str, read: Callable[[str], str]) -> Unit:
    """The unit from what `systemctl cat` prints; ``read`` gives the text of a file, or ``""``."""
    files: list[str] = []
    command: tuple[str, str] = ("", "")
    variables: dict[str, tuple[str, str]] = {}
    for file, key, value in _settings(text):
        if file not in files:
            files.append(file)
        if key == "ExecStart":
            command = (value.lstrip("@-:+!"), file)
        elif key == "Environment":
            variables |= {name: (given, file) for name, given in _assigned(_split(value))}
        elif key == "EnvironmentFile":
            path = value.removeprefix("-")
            lines = [
                word for line in read(path).splitlines() for word in _split(line, comment=True)
            ]
            variables |= {name: (given, path) for name, given in _assigned(lines)}
    words = [
        (word, origin)
        for raw in _split(command[0])
        for word, origin in _filled(raw, command[1], variables)
    ]
    for number, (word, _) in enumerate(words):
        if Path(word).name == "dockerd":
            return Unit(word, words[number + 1 :], files)
    return Unit(files=files)


def _settings(text: str) -> list[tuple[str, str, str]]:
    """File, key and value of each setting of the service's own section."""
    found = []
    file, section = "", ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        header = _HEADER.match(line)
        if header:
            file, section = header[1], ""
        elif line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and line.strip()[:1] not in ("#", ";", ""):
            key, _, value = line.partition("=")
            found.append((file, key.strip(), value.strip()))
    return found


def _filled(raw: str, file: str, variables: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """A word with its variables filled in: ``$NAME`` alone may be several words, or none."""
    alone = re.fullmatch(r"\$(\w+)", raw)
    if alone:
        value, origin = variables.get(alone[1], ("", file))
        return [(word, origin) for word in _split(value)]
    return [(_VARIABLE.sub(lambda m: variables.get(m[1] or m[2], ("", ""))[0], raw), file)]


def _assigned(words: list[str]) -> list[tuple[str, str]]:
    pairs = (word.partition("=") for word in words)
    return [(name, value) for name, equals, value in pairs if equals]


def _split(text: str, *, comment: bool = False) -> list[str]:
    try:
        return shlex.split(text, comments=comment)
    except ValueError:
        return text.split()


def _keys(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

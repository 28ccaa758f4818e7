"""Completion in a shell: ``eval "$(maestro completion bash)"``.

It completes what ``maestro`` and ``ansible-playbook`` are told: the hosts of ``-l``, and of a stack
``-e stack=``, ``-e service=``, ``-e version=``. It reads files of the project and asks no host.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from ..errors import MaestroError
from ..stack.files import BASE_FILES
from .maestro_secrets import find_root

# Bash takes ``=`` for the end of a word: what stands before it is taken off the answers again.
BASH = """_maestro_words() {
    local word line before
    COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
    word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        maestro complete -- "${COMP_WORDS[@]:0:COMP_CWORD}" "$word" 2>/dev/null)
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _maestro_words maestro ansible-playbook
"""
ZSH = """autoload -Uz compinit bashcompinit && compinit && bashcompinit
_maestro_words() {
    local -a found
    found=("${(@f)$(
        maestro complete -- "${words[@]:0:$((CURRENT-1))}" "${words[CURRENT]}" 2>/dev/null)}")
    compadd -S '' -- $found || _files
}
compdef _maestro_words maestro ansible-playbook
"""
SHELLS = {"bash": BASH, "zsh": ZSH}
VARIABLES = ("stack=", "version=", "service=", "wait=")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands to the parser of ``maestro``."""
    shell = commands.add_parser("completion", help="print what completes commands in a shell")
    shell.add_argument("shell", choices=SHELLS)
    shell.set_defaults(run=_print)
    # Called by what `completion` prints.
    words = commands.add_parser("complete")
    words.add_argument("words", nargs="*")
    words.set_defaults(run=_complete, names=tuple(commands.choices))


def _print(given: argparse.Namespace) -> int:
    sys.stdout.write(SHELLS[given.shell])
    return 0


def _complete(given: argparse.Namespace) -> int:
    try:
        root = find_root(Path.cwd())
    except MaestroError:
        return 0
    for word in answers(given.words, root, given.names):
        sys.stdout.write(f"{word}\n")
    return 0


def answers(words: Sequence[str], root: Path, commands: Iterable[str] = ()) -> list[str]:
    """What the last of these words may become, from the files of a project."""
    if not words:
        return []
    *before, word = words
    last = before[-1] if before else ""
    if last in ("-l", "--limit"):
        done, comma, part = word.rpartition(",")
        return [f"{done}{comma}{name}" for name in hosts(root) if name.startswith(part)]
    if last in ("-e", "--extra-vars"):
        return _variables(word, _said(before), root)
    if len(before) == 1 and before[0].rpartition("/")[2] == "maestro":
        return sorted(name for name in commands if name.startswith(word) and name != "complete")
    return []


def _said(before: Sequence[str]) -> Mapping[str, str]:
    pairs = (
        word.split("=", 1)
        for flag, word in itertools.pairwise(before)
        if flag in ("-e", "--extra-vars") and "=" in word
    )
    return dict(pairs)


def _variables(word: str, said: Mapping[str, str], root: Path) -> list[str]:
    name, equals, value = word.partition("=")
    if not equals:
        return [variable for variable in VARIABLES if variable.startswith(name)]
    home = root / said.get("maestro_stacks_dir", _setting(root, "maestro_stacks_dir", "docker"))
    stack = said.get("stack", _setting(root, "maestro_stack", ""))
    known: Mapping[str, Callable[[], list[str]]] = {
        "stack": lambda: stacks(home),
        "service": lambda: services(home / stack),
        "version": lambda: versions(root),
    }
    done, comma, part = value.rpartition(",") if name == "service" else ("", "", value)
    found = known.get(name, list)()
    return [f"{name}={done}{comma}{each}" for each in found if each.startswith(part)]


def hosts(root: Path) -> list[str]:
    """The groups and hosts of the project's inventories, as far as their files are YAML."""
    found: set[str] = set()
    for folder in ("inventories", "inventory"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".yml", ".yaml") and "_vars" not in str(path):
                _groups(_read(path), found)
    return sorted(found)


def _groups(tree: object, found: set[str]) -> None:
    for name, group in tree.items() if isinstance(tree, dict) else ():
        found.add(str(name))
        if isinstance(group, dict):
            inside = group.get("hosts")
            found.update(map(str, inside if isinstance(inside, dict) else ()))
            _groups(group.get("children"), found)


def stacks(home: Path) -> list[str]:
    """The directories that have a Compose file."""
    return sorted({path.parent.name for name in BASE_FILES for path in home.glob(f"*/{name}")})


def services(home: Path) -> list[str]:
    """The services of a stack's Compose file."""
    for name in BASE_FILES:
        tree = _read(home / name)
        if isinstance(tree, dict) and isinstance(tree.get("services"), dict):
            return sorted(map(str, tree["services"]))
    return []


def versions(root: Path) -> list[str]:
    """The tags of the project's repository, the newest first."""
    words = ["git", "-C", str(root), "tag", "--sort=-creatordate"]
    try:
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            words, capture_output=True, text=True, check=False
        )
    except OSError:
        return []
    return done.stdout.split()


def _setting(root: Path, name: str, default: str) -> str:
    tree = _read(root / "group_vars/all.yml")
    return str(tree.get(name, default)) if isinstance(tree, dict) else default


def _read(path: Path) -> object:
    """A YAML file; nothing where it is not there or cannot be read: this only completes."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Plain)  # noqa: S506 -- a safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


class _Plain(yaml.SafeLoader):
    """Reads what has a tag, such as a vaulted value, as nothing."""


_Plain.add_multi_constructor("!", lambda *_: None)

"""The command ``maestro secrets``: make, list and set the secrets of a stack in Vault files.

A value is read from standard input or a prompt and goes nowhere but into the encrypted
file: not onto the command line, not to the screen, not into a temporary file in the clear.
"""

from __future__ import annotations

import argparse
import getpass
import os
import secrets as random
import sys
from collections.abc import Sequence
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import is_encrypted

from ..errors import MaestroError
from ..secrets.renewal import RANDOM_BYTES
from ..secrets.source import (
    COMMON,
    NAME,
    NAME_RULE,
    SecretSource,
    SecretState,
    parse_mapping,
    value_problem,
)
from ..secrets.sources import SOURCES, open_source
from ..secrets.vault_file import VaultFile, write_private
from ..stack import files


def find_root(start: Path) -> Path:
    """Return the project: the nearest directory upwards that has an ansible.cfg."""
    for folder in (start, *start.parents):
        if (folder / "ansible.cfg").exists():
            return folder
    raise MaestroError("no ansible.cfg here or above", where=str(start), fix="run it in Maestro")


def password_file(root: Path, directory: Path, given: str | None, *, make: bool) -> Path:
    """Return what gives the vault password; with ``make``, invent one where there is none."""
    default = root / "scripts" / "vault-password"
    path = Path(given or constants.DEFAULT_VAULT_PASSWORD_FILE or default)
    if path.resolve() != default.resolve() or os.environ.get("MAESTRO_VAULT_PASSWORD"):
        return path
    kept = root / ".vault-password"
    if kept.exists():
        if kept.stat().st_mode & 0o077:
            raise MaestroError(
                "others than its owner have access to it",
                where=kept.name,
                fix=f"chmod 600 {kept.name}",
            )
        return path
    encrypted = [path for path in directory.glob("*/*.yml") if is_encrypted(path.read_bytes())]
    if encrypted or not make:
        raise MaestroError(
            "no vault password is set" + (", but there are encrypted files" if encrypted else ""),
            where=kept.name,
            fix="put the password back into .vault-password (mode 0600) or into"
            " MAESTRO_VAULT_PASSWORD"
            if encrypted
            else "run: .venv/bin/maestro secrets init",
        )
    write_private(kept, f"{random.token_hex(RANDOM_BYTES)}\n".encode())
    return path


class Command:
    """One run of the command, with its options resolved."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.root = Path(options.root).resolve() if options.root else find_root(Path.cwd())

    def run(self) -> list[str]:
        """Do what was asked and return the lines to print."""
        verbs = {"init": self.init, "list": self.show, "set": self.store}
        return verbs[str(self.options.verb)]()

    def _source(self, file: VaultFile | None) -> SecretSource:
        settings = {"source": self.options.source}
        if self.options.path:
            settings["path"] = self.options.path
        return open_source(
            settings,
            environment=self.options.environment,
            stack=self.options.stack,
            root=self.root,
            loader=file.loader if file else None,
        )

    def _file(self, *, make: bool = False) -> VaultFile:
        folder = self.root / (self.options.path or "secrets") / self.options.environment
        path = folder / f"{self.options.stack}.yml"
        where = str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
        given = self.options.vault_password_file
        file = password_file(self.root, folder.parent, given, make=make)
        return VaultFile(path, where, file)

    def init(self) -> list[str]:
        """Make a random value for each name that has none; never touch one that has."""
        names = self.options.names or self._names_of_stack()
        file = self._file(make=True)
        known = {state.name: state for state in self._source(file).states()}
        new = [name for name in names if name not in known]
        if new:
            file.set({name: random.token_hex(RANDOM_BYTES) for name in new})
        return [
            f"made  {name} in {file.where}"
            if name in new
            else f"kept  {name} in {known[name].where}"
            for name in names
        ]

    def _names_of_stack(self) -> list[str]:
        """The secrets that the stack's Compose files name, where the user names none."""
        name = self.options.stack
        folder = self.root / self.options.stacks / name
        home = self.root / self.options.stacks
        if name == COMMON or name not in files.known(home):
            raise MaestroError(
                "no names were given, and there is no Compose file to read them from",
                where=str((folder / files.BASE_FILES[0]).relative_to(self.root))
                if name != COMMON
                else name,
                fix="name the secrets, or a stack of: " + ", ".join(files.known(home)),
            )
        # Of every service, whichever profiles are deployed.
        stack = files.read(home, name, self.options.environment, {})
        return sorted({name for item in stack.services for name in stack.secrets_of(item)})

    def show(self) -> list[str]:
        """Show the names, never the values."""
        file = self._file() if self.options.source == "vault" else None
        rows = self._source(file).states()
        width = max((len(row.name) for row in rows), default=0)
        return [_row(row, width) for row in rows] or ["no secrets"]

    def store(self) -> list[str]:
        """Store one value, given on standard input or typed twice at a prompt."""
        file = self._file(make=True)
        name = self.options.names[0]
        # Read first: a wrong password is refused before a value is asked for.
        before = self._own_values(file)
        value = _ask(name)
        if before.get(name) == value:
            return [f"same  {name} in {file.where}"]
        file.set({name: value})
        return [f"set   {name} in {file.where}"]

    def _own_values(self, file: VaultFile) -> dict[str, object]:
        source = self._source(file)
        source.names()
        text = file.text()
        return {name: found.value for name, found in parse_mapping(text, file.where).items()}


def _row(state: SecretState, width: int) -> str:
    verdict = f"!! {state.problem}" if state.problem else "ok"
    return f"{state.name:<{width}}  ********  {state.where}  {verdict}"


def _ask(name: str) -> str:
    if sys.stdin.isatty():
        value = getpass.getpass(f"{name}: ")
        if getpass.getpass(f"{name}, once more: ") != value:
            raise MaestroError("the two differ", where=name, fix="nothing was changed: try again")
    else:
        data = sys.stdin.buffer.read().decode("utf-8", errors="surrogateescape")
        value = data.removesuffix("\n").removesuffix("\r")
    if problem := value_problem(value):
        raise MaestroError(f"the value {problem}", where=name, fix="nothing was changed")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="maestro secrets", description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    texts = {
        "init": "make random values where there are none",
        "list": "show names, places and what is wrong; never a value",
        "set": "store one value, read from standard input or a prompt",
    }
    for verb, text in texts.items():
        sub = verbs.add_parser(verb, help=text, description=text)
        sub.add_argument("--environment", required=True, help="staging, production, ...")
        sub.add_argument(
            "--stack", default=COMMON, help="without it: the secrets every stack may read"
        )
        sub.add_argument("--path", help="the directory of secrets (default: secrets)")
        sub.add_argument("--root", help="the project (default: found from here)")
        sub.add_argument("--vault-password-file", help="default: what ansible.cfg says")
        sub.set_defaults(source="vault", names=[])
        if verb == "list":
            # A program cannot be asked which secrets there are.
            kinds = [source for source in SOURCES if source != "command"]
            sub.add_argument("--source", choices=kinds, default="vault", help="default: vault")
        else:
            names = "the secrets; without any: all that the stack's Compose files name"
            sub.add_argument(
                "names",
                nargs="*" if verb == "init" else 1,
                metavar="NAME",
                help=names if verb == "init" else "the secret",
            )
        if verb == "init":
            sub.add_argument("--stacks", default="docker", help="where stacks stand: docker")
    return parser


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    # What stands too much may be a value: it is not repeated on the screen.
    if any(not word.startswith("--") for word in rest):
        parser.error("too many arguments: a value is read from standard input, never from here")
    if rest:
        parser.error("there is an option that is not known")
    if any(not NAME.match(name) for name in options.names):
        parser.error(f"one of the names cannot be one: {NAME_RULE}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (0 done, 1 refused, 2 wrong usage)."""
    options = _parse(argv)
    try:
        lines = Command(options).run()
    except MaestroError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except AnsibleError as error:
        sys.stderr.write(f"the vault password cannot be read: {type(error).__name__}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Secrets that a program prints: 1Password, ``pass``, Vault, a cloud's command.

The program is run once for each secret of a run, whatever number of hosts and steps need it: what
it printed is kept in memory that the processes of one run share, on no disk. The value is in no
argument; names are.
"""

from __future__ import annotations

import json
import mmap
import multiprocessing
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Lock

from ..errors import MaestroError, raise_all
from .source import Found, Place, SecretProblem, SecretSource

TIMEOUT = 30.0
NAME, STACK, ENVIRONMENT = "{name}", "{stack}", "{environment}"
_ROOM = 4 << 20  # bytes for all values of a run, written as JSON; only what is used takes memory
_LENGTH = 8


class RunCache:
    """What was printed in this run, shared with the processes that are forked after it is made.

    Ansible takes each task in a process of its own, and the main process loads this module before.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROOM)
        self._lock: Lock | threading.Lock
        try:
            self._lock = multiprocessing.get_context("fork").Lock()
        except (ImportError, OSError, ValueError):
            # No semaphores here: two processes may ask at the same time.
            self._lock = threading.Lock()

    def get(self, key: Sequence[str], ask: Callable[[], str], limit: float) -> str:
        """What was printed for ``key``, or what ``ask`` says now; nobody else asks meanwhile."""
        with self._alone(limit):
            known = self._read()
            name = json.dumps(list(key))
            if name not in known:
                known[name] = ask()
                self._write(known)
            return known[name]

    @contextmanager
    def _alone(self, limit: float) -> Iterator[None]:
        # A process that was killed meanwhile keeps the lock: then each asks for itself.
        held = self._lock.acquire(timeout=limit)
        try:
            yield
        finally:
            if held:
                self._lock.release()

    def _read(self) -> dict[str, str]:
        length = int.from_bytes(self._memory[:_LENGTH], "big")
        text = self._memory[_LENGTH : _LENGTH + length].decode()
        known: dict[str, str] = json.loads(text) if text else {}
        return known

    def _write(self, known: Mapping[str, str]) -> None:
        raw = json.dumps(known).encode()
        if len(raw) <= _ROOM - _LENGTH:
            self._memory[: _LENGTH + len(raw)] = len(raw).to_bytes(_LENGTH, "big") + raw


_CACHE = RunCache()


class CommandSource(SecretSource):
    """The standard output of a program, with ``{name}``, ``{stack}`` and ``{environment}`` given.

    One newline at the end is taken off.
    """

    def __init__(
        self, place: Place, command: object, timeout: object, cache: RunCache | None = None
    ) -> None:
        self._place, self._cache = place, cache or _CACHE
        self._command, self._timeout = _checked(command, timeout)
        self.title = f"the command {self._command[0]}"

    def how_to_add(self, name: str) -> str:
        """Return the command that must print it."""
        return f"this must print it: {shlex.join(self._argv(name))}"

    def _load(self) -> dict[str, Found]:
        """Nothing: a program cannot be asked which secrets there are."""
        return {}

    def _load_those(self, names: list[str]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        problems: list[MaestroError] = []
        for name in names:
            argv = self._argv(name)
            try:
                text = self._cache.get(argv, lambda a=argv, n=name: self._ask(a, n), self._timeout)  # type: ignore[misc]
            except SecretProblem as problem:
                problems.append(problem)
            else:
                found[name] = Found(text.removesuffix("\n").removesuffix("\r"), self.title)
        raise_all(problems)
        return found

    def _argv(self, name: str) -> list[str]:
        given = {NAME: name, STACK: self._place.stack, ENVIRONMENT: self._place.environment}
        argv = []
        for word in self._command:
            for key, value in given.items():
                word = word.replace(key, value)  # noqa: PLW2901 -- one after the other
            argv.append(word)
        return argv

    def _ask(self, argv: list[str], name: str) -> str:
        # What it says on its standard error may hold anything, a value too: it is not shown.
        shown = shlex.join(argv)
        why, fix = "", f"run it yourself to see why: {shown}"
        try:
            done = subprocess.run(  # noqa: S603 -- an argument list, no shell
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                cwd=self._place.root,
                check=False,
            )
            if done.returncode == 0:
                # Bytes that are not UTF-8 become lone surrogates, which no value may hold.
                return done.stdout.decode("utf-8", errors="surrogateescape")
            why = f"ended with exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            why = f"did not end within {self._timeout:g} s"
            fix += "; or raise maestro_secrets.timeout"
        except OSError as error:
            why = f"cannot be started: {error.strerror}"
            fix = "install it, or correct maestro_secrets.command"
        # Outside of the clauses: an exception of the program's would have its output.
        raise SecretProblem(
            f"the command for the secret {name} {why}", [name], where=self.title, fix=fix
        )


def _checked(command: object, timeout: object) -> tuple[list[str], float]:
    words = shlex.split(command) if isinstance(command, str) else command
    problems = []
    if not isinstance(words, list) or not words or not all(isinstance(it, str) for it in words):
        words = []
    if not any(NAME in word for word in words[1:]):
        problems.append(
            MaestroError(
                f"is not a command with {NAME} in its arguments",
                where="maestro_secrets.command",
                fix='such as ["op", "read", "--no-newline", "op://{environment}/{stack}/{name}"]',
            )
        )
    try:
        limit = float(str(timeout if timeout is not None else TIMEOUT))
    except ValueError:
        limit = 0.0
    if not 0 < limit <= 3600:
        problems.append(
            MaestroError(
                f"found {timeout!r}", where="maestro_secrets.timeout", fix="allowed: seconds"
            )
        )
    raise_all(problems)
    return words, limit

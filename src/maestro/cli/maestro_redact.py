"""`maestro redact`: masks secrets in what flows through it.

    docker compose logs -f | maestro redact --secrets-from /run/secrets

Standard library only, besides the package's own modules: it also runs on a host.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..errors import MaestroError
from ..redaction import Redactor
from ..redaction.stream import Stream

IDLE = 0.05  # seconds without input after which complete lines are shown
_CHUNK = 65536
_LARGEST = 1_000_000  # bytes of a file of a secret


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        redactor = Redactor(_secrets(options), unknown=not options.known_only)
    except MaestroError as error:
        sys.stderr.write(f"maestro redact: {error}\n")
        return 2
    if options.report:
        for name, reason in sorted(redactor.report().items()):
            sys.stderr.write(f"maestro redact: {name} is not masked everywhere: {reason}\n")
    try:
        _pump(redactor.open())
    except BrokenPipeError:
        # Who read has gone; say nothing, and let Python not say anything at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maestro redact",
        description="Copy standard input to standard output with every secret masked.",
        epilog="Example: docker compose logs -f | maestro redact --secrets-from secrets/",
    )
    parser.add_argument(
        "--secrets-from",
        action="append",
        default=[],
        metavar="DIR",
        help="a directory of files that hold one secret each, also in directories below;"
        " may be given more than once",
    )
    parser.add_argument(
        "--secrets-from-env",
        action="append",
        default=[],
        metavar="NAME",
        help="an environment variable that holds a secret; may be given more than once",
    )
    parser.add_argument(
        "--known-only",
        action="store_true",
        help="mask the given secrets only, not what looks like one",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="list the given secrets that are not masked everywhere, with reasons, on stderr",
    )
    return parser


def _secrets(options: argparse.Namespace) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for directory in options.secrets_from:
        found.update(_files(Path(directory)))
    for name in options.secrets_from_env:
        if name not in os.environ:
            raise MaestroError(
                "there is no such environment variable",
                where=f"--secrets-from-env {name}",
                fix=f"export {name} first",
            )
        found[name] = os.environb[os.fsencode(name)]
    return found


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    if not directory.is_dir():
        raise MaestroError(
            "this is not a directory",
            where=f"--secrets-from {directory}",
            fix="give a directory that holds a file for each secret",
        )
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield str(path), _content(path)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size <= _LARGEST:
            return path.read_bytes()
    except OSError as error:
        # Without this secret the output could show it.
        raise MaestroError(
            str(error.strerror), where=str(path), fix="run as a user who may read it"
        ) from None
    raise MaestroError(
        f"a secret of more than {_LARGEST} bytes",
        where=str(path),
        fix="move files that are not secrets to another directory",
    )


def _pump(stream: Stream) -> None:
    """Copy until the end; show complete lines as soon as nothing more is waiting."""
    source, out = sys.stdin.fileno(), sys.stdout.buffer
    waiting = False
    while True:
        if waiting and not select.select([source], [], [], IDLE)[0]:
            _show(out, stream.lines())
            waiting = False
        chunk = os.read(source, _CHUNK)
        if not chunk:
            break
        waiting = True
        _show(out, stream.feed(chunk))
    _show(out, stream.finish())


def _show(out: BinaryIO, data: bytes) -> None:
    if data:
        out.write(data)
        out.flush()


if __name__ == "__main__":
    sys.exit(main())

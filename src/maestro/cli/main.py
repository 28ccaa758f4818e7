"""The one program, `maestro`: its commands, and the two names of before."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

# What is a program of its own: loaded alone, so that a pipe through `maestro redact` starts fast.
OWN = {"init": "setup", "redact": "maestro_redact", "secrets": "maestro_secrets"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    own = OWN.get(words[0]) if words else None
    module = import_module(f"maestro.cli.{own or 'maestro'}")
    code: int = module.main(words[1:] if own else words)
    return code


def former_redact() -> int:
    """`maestro-redact`, the name until 0.1."""
    return _former("redact")


def former_secrets() -> int:
    """`maestro-secrets`, the name until 0.1."""
    return _former("secrets")


def _former(command: str) -> int:
    sys.stderr.write(
        f"maestro-{command} is now: maestro {command}; the next release has no other\n"
    )
    return main([command, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())

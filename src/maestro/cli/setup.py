"""The command `maestro init`; what it writes stands in `init`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import MaestroError
from . import init

SAME, ERROR, OTHERWISE = 0, 1, 2  # exit codes; the last of --check


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    given = _parser().parse_args(argv)
    try:
        work = init.compare if given.check else init.write
        lines = work(Path.cwd(), ci=given.ci or "")
    except MaestroError as problem:
        sys.stderr.write(f"maestro init: {problem}\n")
        return ERROR
    except OSError as problem:
        sys.stderr.write(f"maestro init: {problem.filename}: {problem.strerror}\n")
        return ERROR
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return OTHERWISE if given.check and lines else SAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maestro init",
        description="Write the files that a repository needs beside its Compose file. "
        "It asks nothing and overwrites nothing.",
    )
    parser.add_argument("--ci", choices=sorted(init.CI), help="a workflow for its CI, too")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; say what it would write otherwise"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

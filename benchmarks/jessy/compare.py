"""Compare the core's functions of two versions: `make bench-compare [BASE=GIT_REVISION]`.

Ends with 1 when one of them became slower, and names it with its old and new time. How it is
measured and judged stands in paired.py and, for the reader, in the page it writes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from jessy import page, paired

PROJECT = Path(__file__).resolve().parents[2]
# How often both programs are started anew, see paired.py.
STARTS = 8


def compose(directory: Path = PROJECT / "docker/jessy") -> list[str]:
    """Compose for the benchmarks of the stack in a directory, as `make up` finds it."""
    project = ("--project-name", "jessy-bench", "--file", "compose.bench.yaml")
    return [str(PROJECT / "scripts/stack"), str(directory), *project]


class Version:
    """A container with one version, which measures when it is asked."""

    def __init__(self, image: str, work: int = 100) -> None:
        self.process = subprocess.Popen(  # noqa: S603 -- an argument list, no shell
            [*compose(), "run", "--rm", "--no-TTY", "--no-deps", "bench", "pace"],
            env={**os.environ, "BENCH_IMAGE": image, "SEEDED_WORK": str(work)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, line: str) -> str:
        """Send a line and return the answer."""
        if not self.process.stdin or not self.process.stdout:
            raise RuntimeError("the container has no input")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the container ended with {self.process.wait()}")
        return answer.strip()

    def names(self) -> list[str]:
        """The benchmarks it has."""
        return self.ask("").split()

    def measure(self, name: str, milliseconds: int) -> float:
        """Nanoseconds of one call, measured now."""
        return float(self.ask(f"{name} {milliseconds}"))

    def end(self) -> None:
        """Let the container end."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=30)


Pairs = dict[str, list[tuple[float, float]]]


def compare(
    old: Version, new: Version, only: list[str] | None, rounds: int, milliseconds: int
) -> Pairs:
    """Measure both in turns; who goes first changes from round to round."""
    known = set(old.names())
    names = only or [name for name in new.names() if name in known]
    pairs: Pairs = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            if number % 2:
                second = new.measure(name, milliseconds)
                pairs[name].append((old.measure(name, milliseconds), second))
            else:
                first = old.measure(name, milliseconds)
                pairs[name].append((first, new.measure(name, milliseconds)))
    return pairs


def run(*argv: str, image: str = "", given: bytes = b"") -> bytes:
    """Run a command that has to succeed, and return what it wrote."""
    environment = {**os.environ, "BENCH_IMAGE": image}
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        argv, cwd=PROJECT, env=environment, input=given, stdout=subprocess.PIPE, check=True
    )
    return done.stdout


def build(image: str, directory: Path) -> None:
    """The benchmarks' image from the sources in a directory."""
    run(*compose(directory), "build", "--quiet", "bench", image=image)


def build_revision(image: str, revision: str) -> None:
    """The same from what git has under a revision."""
    with tempfile.TemporaryDirectory() as home:
        run("tar", "-x", "-C", home, given=run("git", "archive", revision, "docker/jessy"))
        build(image, Path(home) / "docker/jessy")


def main() -> int:
    """Build both versions, compare them, write the page, and say what is slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="HEAD", help="the git revision to compare with")
    parser.add_argument("--old", help="an image to compare with, in place of a revision")
    parser.add_argument("--new", help="an image to judge, in place of the working tree")
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--milliseconds", type=int, default=25)
    parser.add_argument(
        "--seeded", type=int, default=100, help="work of `seeded` in the new one, %%"
    )
    parser.add_argument("--only", action="append", help="a benchmark to compare; may come again")
    parser.add_argument("--to", type=Path, default=PROJECT / "test-results/bench")
    options = parser.parse_args()
    old_image, new_image = options.old or "jessy-bench:base", options.new or "jessy-bench:dev"
    if not options.old:
        build_revision(old_image, options.base)
    if not options.new:
        build(new_image, PROJECT / "docker/jessy")
    pairs: Pairs = defaultdict(list)
    for _ in range(STARTS):
        old, new = Version(old_image), Version(new_image, options.seeded)
        try:
            rounds = options.rounds // STARTS
            part = compare(old, new, options.only, rounds, options.milliseconds)
        finally:
            old.end()
            new.end()
        for name, measured in part.items():
            pairs[name] += measured
    return report({name: paired.verdict(found) for name, found in pairs.items()}, options.to)


def report(found: dict[str, paired.Verdict], to: Path) -> int:
    """Write the page and its figures below ``to``, and say what is slower; 1 where something is."""
    to.mkdir(parents=True, exist_ok=True)
    figures = {
        name: {**asdict(verdict), "verdict": verdict.word} for name, verdict in found.items()
    }
    (to / "compare.json").write_text(json.dumps(figures, indent=1) + "\n")
    (to / "compare.html").write_text(page.comparison(found))
    for name, verdict in found.items():
        sys.stdout.write(
            f"{name:24} {verdict.word:7} {verdict.old:12.1f} ns -> {verdict.new:12.1f} ns  "
            f"x {verdict.ratio:.3f} ({verdict.low:.3f} to {verdict.high:.3f})\n"
        )
    slower = [name for name, verdict in found.items() if verdict.word == "slower"]
    for name in slower:
        sys.stderr.write(
            f"bench-compare: {name} became slower: {found[name].old:.1f} ns before, "
            f"{found[name].new:.1f} ns now\n"
        )
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())

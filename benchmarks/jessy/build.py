"""How long Jessy's images take to build, and how large they are: `make build-report`.

Each image is built from nothing (cold), and again after a change of its sources (warm); then both
at the same time after one more change. Writes DIRECTORY/build.json. Ends with 1 when a warm build
is no faster than a cold one, an image is larger than it may be, or the builds did not run beside
each other.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
TAG = "build-report"
# Bytes an image may have, uncompressed; a file of its sources.
LIMITS = {"jessy-core": 100_000_000, "jessy-api": 50_000_000}
SOURCES = {"jessy-core": "core/src/lib.rs", "jessy-api": "api/main.go"}


@dataclass(frozen=True)
class Built:
    """Seconds of a build from nothing and of one after a change, and the size in bytes."""

    cold_seconds: float
    warm_seconds: float
    size_bytes: int
    limit_bytes: int


def problems(images: Mapping[str, Built], *, beside: bool) -> list[str]:
    """What is not as it has to be."""
    found = []
    for name, one in images.items():
        if one.warm_seconds >= one.cold_seconds:
            found.append(
                f"{name}: after a change its build took {one.warm_seconds:.1f} s, and "
                f"{one.cold_seconds:.1f} s from nothing: its cache is of no use"
            )
        if one.size_bytes > one.limit_bytes:
            found.append(f"{name}: has {one.size_bytes:,} bytes, of {one.limit_bytes:,} at most")
    if not beside:
        found.append("the images were built one after the other")
    return found


def interleaved(log: str, names: Sequence[str]) -> bool:
    """Whether steps of all images stand in a log between those of another."""
    pattern = "|".join(map(re.escape, names))
    order = re.findall(rf"(?m)^#\d+ \[({pattern}) ", log)
    changes = sum(one != other for one, other in pairwise(order))
    return set(order) == set(names) and changes >= len(names)


class Copy:
    """The stack's files in a directory of its own, where a source can be changed."""

    def __init__(self, home: Path) -> None:
        ignore = shutil.ignore_patterns(".env", ".secrets")
        shutil.copytree(PROJECT / "docker/jessy", home, ignore=ignore)
        self.home = home

    def build(self, *options: str) -> tuple[float, str]:
        """Seconds and log of the build of one image; a failed one ends the run with its end."""
        return self.builds([options])

    def builds(self, wanted: Sequence[Sequence[str]]) -> tuple[float, str]:
        """The same of several at once. Compose builds what depends on it after a service."""
        lines: list[str] = []
        started = time.monotonic()
        running = [self._start(options) for options in wanted]
        readers = [threading.Thread(target=lines.extend, args=(one.stdout,)) for one in running]
        for reader in readers:
            reader.start()
        codes = [one.wait() for one in running]
        for reader in readers:
            reader.join()
        if any(codes):
            sys.exit(f"build-report: {wanted} ended with {codes}:\n{''.join(lines)[-3000:]}")
        return time.monotonic() - started, "".join(lines)

    def _start(self, options: Sequence[str]) -> subprocess.Popen[str]:
        argv = [str(PROJECT / "scripts/stack"), str(self.home), "--env-file", "/dev/null"]
        argv += ["-f", "compose.yaml", "--progress", "plain", "build", *options]
        return subprocess.Popen(  # noqa: S603 -- an argument list, no shell
            argv,
            env={**os.environ, "VERSION": TAG, "REGISTRY": TAG},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def change(self, *names: str) -> None:
        """Change the sources of images, by a comment nobody wrote before."""
        for name in names:
            with (self.home / SOURCES[name]).open("a") as file:
                file.write(f"// {time.time_ns()}\n")

    def measure(self, name: str) -> Built:
        """Build one image both ways."""
        cold, _ = self.build("--no-cache", name)
        self.change(name)
        warm, _ = self.build(name)
        argv = ["docker", "image", "inspect", "-f", "{{.Size}}", f"{TAG}/{name}:{TAG}"]
        size = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return Built(round(cold, 2), round(warm, 2), int(size.stdout), LIMITS[name])


def report(images: Mapping[str, Built], seconds: float, *, beside: bool) -> dict[str, Any]:
    """What is written."""
    return {
        "images": {name: asdict(one) for name, one in images.items()},
        "together": {"warm_seconds": round(seconds, 2), "beside_each_other": beside},
    }


def main() -> int:
    """Measure, write the report, say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PROJECT / "test-results/build")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        copy = Copy(Path(home) / "jessy")
        try:
            images = {name: copy.measure(name) for name in LIMITS}
            copy.change(*LIMITS)
            seconds, log = copy.builds([[name] for name in LIMITS])
        finally:
            names = [f"{TAG}/{name}:{TAG}" for name in LIMITS]
            subprocess.run(  # noqa: S603
                ["docker", "image", "rm", *names],  # noqa: S607
                capture_output=True,
                check=False,
            )
    beside = interleaved(log, list(LIMITS))
    options.to.mkdir(parents=True, exist_ok=True)
    path = options.to / "build.json"
    path.write_text(json.dumps(report(images, seconds, beside=beside), indent=1) + "\n")
    for name, one in images.items():
        sys.stdout.write(
            f"{name:12} cold {one.cold_seconds:7.1f} s   warm {one.warm_seconds:6.1f} s   "
            f"{one.size_bytes / 1e6:6.1f} MB of {one.limit_bytes / 1e6:.0f}\n"
        )
    sys.stdout.write(f"both at once, warm: {seconds:.1f} s; see {path}\n")
    found = problems(images, beside=beside)
    sys.stderr.writelines(f"build-report: {line}\n" for line in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

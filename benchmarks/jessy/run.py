"""Measure Jessy: `make bench`.

The core's functions by criterion, the API's by Go, and the whole stack under load with several
instances, with what the machine had to do for it in the same seconds. Writes DIRECTORY/index.html,
one file that needs nothing else, and bench.json beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jessy import page

PROJECT = Path(__file__).resolve().parents[2]
JESSY = PROJECT / "docker/jessy"
STACK = ("compose.yaml", "compose.test.yaml", "compose.acceptance.yaml")
GO_LINE = re.compile(r"^(Benchmark\w+)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op", re.MULTILINE)
SIZES = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass
class Project:
    """A Compose project of this run alone: its files and the variables they read."""

    files: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    name: str = "jessy-bench"

    @property
    def options(self) -> list[str]:
        """The words of Compose that say which project it is."""
        files = [word for file in self.files for word in ("--file", file)]
        return ["--project-name", self.name, *files]

    def compose(self, *words: str) -> str:
        """What a command wrote; one that fails ends the run."""
        done = subprocess.run(  # noqa: S603 -- an argument list, no shell
            [str(PROJECT / "scripts/stack"), str(JESSY), *self.options, *words],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout


def docker(*words: str) -> str:
    """What Docker wrote."""
    argv = ["docker", *words]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return done.stdout


def core(seconds: float) -> dict[str, list[float]]:
    """Nanoseconds of one call in each sample of criterion, by function."""
    results = f"jessy-bench-{secrets.token_hex(3)}"
    project = Project(("compose.bench.yaml",), {"BENCH_RESULTS": results})
    name = f"{results}-run"
    times = ("--warm-up-time", "0.5", "--measurement-time", str(seconds), "--noplot")
    try:
        project.compose("run", "--name", name, "bench", "criterion", "--bench", *times)
        with tempfile.TemporaryDirectory() as home:
            docker("cp", "--quiet", f"{name}:/app/target/criterion", home)
            found = {}
            for path in sorted(Path(home).glob("criterion/*/new/sample.json")):
                sample = json.loads(path.read_text())
                pairs = zip(sample["times"], sample["iters"], strict=True)
                found[path.parts[-3]] = [total / calls for total, calls in pairs]
            return found
    finally:
        docker("rm", "--force", "--volumes", name)
        docker("volume", "rm", "--force", results)


def api() -> dict[str, list[float]]:
    """Nanoseconds of one call in each of Go's runs, by function."""
    found = defaultdict(list)
    for name, time_of_one in GO_LINE.findall(
        Project(("compose.bench.yaml",)).compose("run", "--rm", "-T", "bench-api")
    ):
        found[name].append(float(time_of_one))
    return dict(found)


def size(text: str) -> float:
    """Bytes of a number as Docker writes it: `12.3MiB`, `4.5kB`."""
    found = re.fullmatch(r"([\d.]+)([A-Za-z]+)", text.strip())
    return float(found[1]) * SIZES.get(found[2], 0) if found else 0.0


class Sampler(threading.Thread):
    """What the containers of a project use, as often as Docker tells."""

    def __init__(self, project: str) -> None:
        super().__init__(daemon=True)
        self.project, self.samples, self.over = project, list[dict[str, float]](), threading.Event()

    def run(self) -> None:
        """Take samples until it is over."""
        containers = docker(
            "ps", "-q", "--filter", f"label=com.docker.compose.project={self.project}"
        ).split()
        while not self.over.is_set():
            lines = docker("stats", "--no-stream", "--format", "{{json .}}", *containers)
            now = [json.loads(line) for line in lines.splitlines()]
            network = [part for one in now for part in one["NetIO"].split("/")]
            self.samples.append(
                {
                    "time": time.time(),
                    "cpu_percent": sum(float(one["CPUPerc"].rstrip("%")) for one in now),
                    "memory_bytes": sum(size(one["MemUsage"].split("/")[0]) for one in now),
                    "network_bytes": sum(map(size, network)),
                }
            )


def load(instances: int, seconds: int, clients: int) -> dict[str, Any]:
    """Load on a stack of its own, with several instances of the API."""
    name = f"jessy-load-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as home:
        for secret in ("db_password", "api_token"):
            path = Path(home) / secret
            path.write_text(secrets.token_hex(16))
            path.chmod(0o444)
        project = Project(
            STACK,
            {
                "TEST_RESULTS": f"{name}-results",
                "SECRETS_DIR": home,
                "API_REPLICAS": str(instances),
                "JESSY_TARGET": "production",
            },
            name,
        )
        try:
            project.compose("build", "--quiet", "db", "jessy-core", "jessy-api", "acceptance")
            project.compose("up", "--detach", "--wait", "--wait-timeout", "120")
            sampler = Sampler(name)
            sampler.start()
            words = ("target/debug/examples/load", str(seconds), str(clients))
            found = project.compose("run", "--rm", "-T", "--no-deps", "acceptance", *words)
            sampler.over.set()
            sampler.join()
        finally:
            project.compose("--profile", "test", "down", "--volumes", "--timeout", "5")
    result: dict[str, Any] = json.loads(found.splitlines()[-1])
    result["samples"] = [
        s for s in sampler.samples if result["begun"] <= s["time"] <= result["ended"]
    ]
    return result


def percentiles(times: list[float]) -> dict[str, float]:
    """The latencies that are told, in milliseconds."""
    cuts = statistics.quantiles(times, n=1000, method="inclusive")
    return {"p50": cuts[499], "p95": cuts[949], "p99": cuts[989], "max": max(times)}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The load with figures in place of the single requests."""
    requests = found.pop("requests")
    seconds = found["ended"] - found["begun"]
    return {
        **found,
        "requests": len(requests),
        "requests_per_second": len(requests) / seconds,
        "milliseconds": percentiles([took for _, took in requests]),
        "by_second": [
            [second, statistics.quantiles(times, n=20, method="inclusive")[18]]
            for second, times in sorted(grouped(requests).items())
            if len(times) > 1
        ],
    }


def grouped(requests: list[list[float]]) -> dict[int, list[float]]:
    """The latencies of each second."""
    groups = defaultdict(list)
    for second, took in requests:
        groups[int(second)].append(took)
    return groups


def main() -> int:
    """Measure all three, write both files, say where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="for each function of the core")
    parser.add_argument("--load-seconds", type=int, default=15, help="0 leaves the load out")
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--to", type=Path, default=PROJECT / "test-results/bench")
    options = parser.parse_args()
    Project(("compose.bench.yaml",)).compose("build", "--quiet", "bench", "bench-api")
    figures: dict[str, Any] = {"core_ns": core(options.seconds), "api_ns": api()}
    if options.load_seconds:
        found = load(options.instances, options.load_seconds, options.clients)
        figures["load"] = summary(found)
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "bench.json").write_text(json.dumps(figures, indent=1) + "\n")
    (options.to / "index.html").write_text(page.report(figures))
    sys.stdout.write(f"bench: see {options.to}/index.html and bench.json\n")
    return int("load" in figures and figures["load"]["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())

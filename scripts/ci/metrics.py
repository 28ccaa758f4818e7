"""Keep the figures of a run, and name what grew: times, image sizes, medians of benchmarks.

Reads what the stages left below .cache/ci and test-results/bench (times.jsonl, sizes.json,
bench.json), appends one line to .cache/metrics/history.jsonl, and compares it with the median of
the five runs before. Growth of more than METRICS_LIMIT (10) percent ends it with exit code 1.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HISTORY = Path(".cache/metrics/history.jsonl")
PLACES = (Path(".cache/ci"), Path("test-results/bench"))
BEFORE = 5  # runs
LEAST = 5.0  # seconds: a shorter stage varies by more than it tells

Figures = dict[str, float]


def collect(places: tuple[Path, ...] = PLACES) -> Figures:
    """Each figure by a name such as ``seconds build``, ``bytes web``, ``ns parse``."""
    found: Figures = {}
    for place in places:
        for path in sorted(place.rglob("times*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                said = json.loads(line)
                if said["ok"]:
                    found[f"seconds {said['stage']}"] = float(said["seconds"])
        for path in sorted(place.rglob("sizes.json")):
            sizes = json.loads(path.read_text(encoding="utf-8"))
            found |= {f"bytes {name}": float(size) for name, size in sizes.items()}
        for path in sorted(place.rglob("bench.json")):
            found |= dict(medians(json.loads(path.read_text(encoding="utf-8"))))
    return found


def medians(bench: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every ``median`` of the benchmarks' figures, by the path that leads to it."""
    if isinstance(bench, Mapping):
        for key, value in bench.items():
            if key in ("median", "median_ns") and isinstance(value, int | float):
                yield f"median {name}", float(value)
            else:
                yield from medians(value, f"{name}.{key}".strip("."))
    elif isinstance(bench, list):
        for number, value in enumerate(bench):
            named = value.get("name", number) if isinstance(value, Mapping) else number
            yield from medians(value, f"{name}.{named}".strip("."))


def grown(now: Figures, before: list[Figures], limit: float) -> list[str]:
    """What is more than ``limit`` percent above the median of the runs before, as lines."""
    lines = []
    for name, value in sorted(now.items()):
        known = [run[name] for run in before[-BEFORE:] if name in run]
        usual = statistics.median(known) if known else 0
        if name.startswith("seconds ") and value < LEAST:
            continue
        if usual > 0 and value > usual * (1 + limit / 100):
            percent = (value / usual - 1) * 100
            lines.append(f"{name}: {usual:g} -> {value:g} (+{percent:.0f} %)")
    return lines


def main() -> int:
    """Append and compare."""
    limit = float(os.environ.get("METRICS_LIMIT") or 10)
    before: list[dict[str, Any]] = []
    if HISTORY.exists():
        before = [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]
    figures = collect()
    if not figures:
        sys.stderr.write("metrics: no figures\n  -> run stages first: .ci/run build; make bench\n")
        return 2
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    sha = os.environ.get("GITHUB_SHA") or os.environ.get("CI_COMMIT_SHA") or git.stdout.strip()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(json.dumps({"sha": sha, "at": at, "figures": figures}, sort_keys=True) + "\n")
    lines = grown(figures, [run["figures"] for run in before], limit)
    text = [f"{len(figures)} figures of {sha[:12]}, {len(before)} runs before"]
    text += [f"grew by more than {limit:g} %: {line}" for line in lines]
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write("\n".join(["### Metrics", "", *(f"- {line}" for line in text), ""]))
    sys.stdout.write("\n".join(text) + "\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

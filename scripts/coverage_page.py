"""Write DIRECTORY/index.html and coverage.json over the coverage of Rust, Go and Python.

Beside it stand the pages of each language, which show the sources line by line. Ends with 1 when
one of them is below COVERAGE_MIN (80) percent.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PROFILE_LINE = re.compile(r"^(?P<file>.+):[\d.,]+ (?P<statements>\d+) (?P<count>\d+)$")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
td, th { text-align: left; padding: .2rem .5rem; border-bottom: 1px solid #ddd; }
td { overflow-wrap: anywhere; }
td.number, td.bar { white-space: nowrap; text-align: right; width: 6rem; }
.bar div { background: #c33; height: .7rem; } .bar div div { background: #2a7; }
"""


@dataclass(frozen=True)
class Part:
    """What was reached of one program: files and the whole, in percent of `unit`."""

    title: str
    page: str
    unit: str
    files: dict[str, float]
    total: float


def rust(directory: Path) -> Part:
    """What llvm-cov exports as a summary."""
    data = json.loads((directory / "rust.json").read_text())["data"][0]
    files = {
        entry["filename"].removeprefix("/app/"): entry["summary"]["lines"]["percent"]
        for entry in data["files"]
    }
    return Part("Core (Rust)", "rust", "lines", files, data["totals"]["lines"]["percent"])


def go(directory: Path) -> Part:
    """What `go tool covdata textfmt` writes: a block may come once for each program."""
    reached: dict[str, dict[str, tuple[int, bool]]] = defaultdict(dict)
    for line in (directory / "go.txt").read_text().splitlines()[1:]:
        if found := PROFILE_LINE.match(line):
            block = line.split(" ")[0]
            _, before = reached[found["file"]].get(block, (0, False))
            reached[found["file"]][block] = (
                int(found["statements"]),
                before or found["count"] != "0",
            )
    every = [block for blocks in reached.values() for block in blocks.values()]
    files = {name.partition("/")[2]: share([*blocks.values()]) for name, blocks in reached.items()}
    return Part("API (Go)", "go", "statements", files, share(every))


def share(blocks: list[tuple[int, bool]]) -> float:
    """The percentage of statements in the blocks that were reached."""
    return 100 * sum(n for n, hit in blocks if hit) / max(1, sum(n for n, _ in blocks))


def python(directory: Path) -> Part:
    """What coverage.py writes as JSON."""
    data = json.loads((directory / "python.json").read_text())
    files = {
        name.removeprefix("src/"): entry["summary"]["percent_covered"]
        for name, entry in data["files"].items()
    }
    return Part(
        "Toolkit (Python)", "python", "lines and branches", files, data["totals"]["percent_covered"]
    )


def bar(percent: float) -> str:
    """A cell with a bar, and one with the number."""
    return (
        f'<td class="bar"><div><div style="width:{percent:.0f}%"></div></div></td>'
        f'<td class="number">{percent:.1f} %</td>'
    )


def table(part: Part) -> str:
    """A part's heading, with a link to its pages, and its files."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>{bar(percent)}</tr>\n"
        for name, percent in sorted(part.files.items())
    )
    link = f'<a href="{part.page}/index.html">{part.title}</a>'
    heading = f"<h2>{link}: {part.total:.1f} % of the {part.unit}</h2>"
    return f"{heading}\n<table>{rows}</table>\n"


def main(directory: Path) -> int:
    """Write both files; say what is below the minimum."""
    minimum = float(os.environ.get("COVERAGE_MIN", "80"))
    readers = {"rust.json": rust, "go.txt": go, "python.json": python}
    parts = [read(directory) for name, read in readers.items() if (directory / name).exists()]
    figures = {part.page: {"total": part.total, "files": part.files} for part in parts}
    (directory / "coverage.json").write_text(json.dumps(figures, indent=1) + "\n")
    (directory / "index.html").write_text(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Coverage</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n<h1>Coverage</h1>\n"
        f"<p>Of the tests; each part has to reach {minimum:g} %.</p>\n"
        + "".join(table(part) for part in parts)
        + "</body></html>\n"
    )
    for part in parts:
        sys.stdout.write(f"{part.title}: {part.total:.1f} % of the {part.unit}\n")
    low = [part for part in parts if part.total < minimum]
    for part in low:
        page = directory / part.page / "index.html"
        sys.stderr.write(f"coverage: {part.title} is below {minimum:g} %: see {page}\n")
    return int(bool(low))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

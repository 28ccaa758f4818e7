"""Jessy's benchmarks on this machine's own Engine: what `make bench` and `make bench-compare` do.

All of it takes minutes and runs in `make test-long` alone. The page is looked at by a browser, in a
container without a network.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import chromium
import pytest
from developing import docker
from e2e import lab
from jessy_stack import SECONDS

pytestmark = pytest.mark.long

IMAGE = "jessy-bench:tested"
# The quickest of the functions, and the same program as both versions.
SAME = ("--old", IMAGE, "--new", IMAGE)
SEEDED = (*SAME, "--only", "seeded")
# A page in a frame of a width, which no window can make wider, and what is to be seen of it.
PROBE = """<!doctype html><pre id="found"></pre>
<iframe id="page" style="width:{width}px;height:30000px;border:0" srcdoc="{page}"></iframe>
<script>
page.onload = () => {{
  const inside = page.contentDocument, root = inside.documentElement;
  const box = (one) => one.getBoundingClientRect();
  found.textContent = "FOUND" + JSON.stringify({{
    width: root.clientWidth,
    needed: root.scrollWidth,
    beyond: [...inside.querySelectorAll("body *")].filter((one) =>
      box(one).right > root.clientWidth + 1 && !one.closest("svg")).map((one) => one.tagName),
    cut: [...inside.querySelectorAll("svg text")].filter((one) =>
      box(one).left < box(one.closest("svg")).left ||
      box(one).right > box(one.closest("svg")).right).map((one) => one.textContent),
    graphs: [...inside.querySelectorAll("svg")].map((one) => [box(one).width, box(one).height,
      [...one.querySelectorAll("circle, polyline, path, rect")].filter(
        (mark) => mark.getBBox().width + mark.getBBox().height > 0).length]),
    asked: page.contentWindow.performance.getEntriesByType("resource").length,
  }}) + "END";
}};
</script>
"""


@dataclass(frozen=True)
class Bench:
    """What `make bench` left of one run, and the containers it had meanwhile."""

    home: Path
    figures: dict[str, object]
    page: str
    containers: list[dict[str, object]]


def program(module: str, *words: str) -> lab.Run:
    """One of the programs, as the makefile calls it."""
    path = str(lab.PROJECT / "benchmarks")
    # Images of its own, not those a developer has.
    given = {"PYTHONPATH": path, "TEST_TAG": "bench", "BENCH_IMAGE": IMAGE}
    return lab.run(sys.executable, "-m", f"jessy.{module}", *words, env=given, timeout=3600)


def look(over: threading.Event, found: dict[str, dict[str, object]]) -> None:
    """What the Engine knows of each container of the benchmarks, once, while it runs."""
    while not over.wait(0.2):
        project = "label=com.docker.compose.project=jessy-bench"
        for name in docker("ps", "-q", "--no-trunc", "--filter", project).split():
            if name not in found:
                done = subprocess.run(
                    ["docker", "inspect", name], stdout=subprocess.PIPE, text=True, check=False
                )
                if done.returncode == 0:
                    found[name] = json.loads(done.stdout)[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, lab_made: None) -> Iterator[Path]:
    """Where the pages are written, which a browser may read."""
    found = tmp_path_factory.mktemp("bench")
    found.chmod(0o755)
    yield found
    docker("image", "rm", IMAGE, check=False)


def measured(home: Path, *words: str) -> Bench:
    """One run, with quick samples."""
    over = threading.Event()
    containers: dict[str, dict[str, object]] = {}
    looking = threading.Thread(target=look, args=(over, containers))
    looking.start()
    try:
        program("run", "--seconds", "1", *words, "--to", str(home)).ok()
    finally:
        over.set()
        looking.join()
    figures = json.loads((home / "bench.json").read_text())
    return Bench(home, figures, (home / "index.html").read_text(), list(containers.values()))


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    """The functions alone."""
    return measured(home / "functions", "--load-seconds", "0")


@pytest.fixture(scope="module")
def whole(home: Path) -> Bench:
    """All, with the stack under load."""
    return measured(home / "whole", "--load-seconds", "8")


@pytest.mark.requirement("R10.1", "T2.3")
def test_benchmarks_run_alone_with_what_they_are_given(bench: Bench) -> None:
    assert len(bench.containers) >= 2
    for found in bench.containers:
        host = found["HostConfig"]
        assert isinstance(host, dict)
        assert (host["NanoCpus"], host["Memory"]) == (SECONDS, 2**30)
        assert host["CpusetCpus"] == "0"
        # A network of its own in which there is nothing else, not even a way out.
        assert host["NetworkMode"] == "none"


@pytest.mark.requirement("R10.2", "T2.3")
def test_the_report_has_a_graph_for_each_benchmark_and_loads_nothing(bench: Bench) -> None:
    names = [*bench.figures["core_ns"], *bench.figures["api_ns"]]  # type: ignore[misc]
    assert len(names) >= 5
    for name in names:
        assert re.search(rf"<h3>{re.escape(html.escape(name))}: .*?</h3>\n<figure><svg", bench.page)
    assert bench.page.count("<svg") == len(names)
    assert not re.search(r"(?i)(src|href|url\()\s*=?\s*[\"']?\s*(https?:)?//", bench.page)


@pytest.fixture(scope="module")
def browser(lab_made: None) -> str:
    """An image with a browser."""
    return chromium.image()


@pytest.fixture(scope="module")
def compared(bench: Bench) -> Bench:
    """All functions compared with themselves, in few rounds."""
    home = bench.home.with_name("compared")
    run = program("compare", *SAME, "--rounds", "40", "--to", str(home))
    assert "seeded" in run.out
    return Bench(home, {}, (home / "compare.html").read_text(), [])


def shown(browser: str, directory: Path, *words: str) -> str:
    """What the browser writes of a page in a directory, which it may write to."""
    alone = ("run", "--rm", "--network", "none", "-v", f"{directory}:/page", "-w", "/page", browser)
    return docker(*alone, *chromium.OPTIONS, "--virtual-time-budget=10000", *words)


@pytest.mark.requirement("R10.2")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["bench", "compared", "whole"])
def test_a_browser_shows_the_report(
    request: pytest.FixtureRequest, browser: str, name: str, width: int
) -> None:
    seen: Bench = request.getfixturevalue(name)
    page = seen.page
    probe = seen.home / "probe.html"
    probe.write_text(PROBE.format(width=width, page=html.escape(page)))
    dom = shown(
        browser, seen.home, "--window-size=1400,3200", "--dump-dom", "file:///page/probe.html"
    )
    found = json.loads(html.unescape(dom.partition(">FOUND")[2].partition("END<")[0]))
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["beyond"] == found["cut"] == []
    assert found["asked"] == 0
    assert len(found["graphs"]) == page.count("<svg") > 0
    for wide, high, marks in found["graphs"]:
        assert 200 < wide <= width
        assert high > 30
        assert marks > 0
    picture(browser, seen, name, width)


def picture(browser: str, seen: Bench, name: str, width: int) -> None:
    """Leave the page as it is seen and as it is printed in test-results, for whoever looks."""
    (seen.home / "page.html").write_text(seen.page)
    size = f"--window-size={max(width, 500)},4000"
    shown(browser, seen.home, size, "--screenshot=seen.png", "file:///page/page.html")
    shown(browser, seen.home, "--print-to-pdf=seen.pdf", "file:///page/page.html")
    to = lab.PROJECT / "test-results/bench"
    to.mkdir(parents=True, exist_ok=True)
    (to / f"{name}-{width}.png").write_bytes((seen.home / "seen.png").read_bytes())
    (to / f"{name}.pdf").write_bytes((seen.home / "seen.pdf").read_bytes())


@pytest.mark.requirement("R10.5")
def test_the_machine_is_measured_in_the_same_seconds(whole: Bench) -> None:
    names = [*whole.figures["core_ns"], *whole.figures["api_ns"]]  # type: ignore[misc]
    assert whole.page.count("<svg") == len(names) + 4
    load = whole.figures["load"]
    assert isinstance(load, dict)
    assert {"p50", "p95", "p99", "max"} <= set(load["milliseconds"])
    assert load["requests"] > 0
    assert len(load["samples"]) >= 2
    for sample in load["samples"]:
        assert load["begun"] <= sample["time"] <= load["ended"]
        assert min(sample[key] for key in ("cpu_percent", "memory_bytes", "network_bytes")) > 0


@pytest.mark.requirement("R10.3", "T2.3")
def test_what_became_slower_is_found_and_named(bench: Bench) -> None:
    same, twice = bench.home / "same", bench.home / "twice"
    program("compare", *SEEDED, "--to", str(same)).ok()
    run = program("compare", *SEEDED, "--seeded", "200", "--to", str(twice))
    run.failed("bench-compare: seeded became slower:")
    times = re.search(r"seeded became slower: ([\d.]+) ns before, ([\d.]+) ns", run.out)
    assert times
    assert 1.6 < float(times[2]) / float(times[1]) < 2.5
    assert json.loads((twice / "compare.json").read_text())["seeded"]["verdict"] == "slower"
    assert ">slower<" in (twice / "compare.html").read_text()
    assert ">equal<" in (same / "compare.html").read_text()


def test_a_tenth_is_found_and_nothing_is_made_up(
    bench: Bench, show: Callable[[str, str], None]
) -> None:
    """10 times of 10, and at most one false one of 20, on a machine that does other things too."""
    to = ("--to", str(bench.home / "often"))
    found = [program("compare", *SEEDED, *to, "--seeded", "110").rc for _ in range(10)]
    false = [program("compare", *SEEDED, *to).rc for _ in range(20)]
    show("Regressions", f"a tenth: {sum(found)} of 10 found; equal runs: {sum(false)} of 20 false")
    assert found == [1] * 10
    assert sum(false) <= 1

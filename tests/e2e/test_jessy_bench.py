"""Jessy's benchmarks on the host that builds: what `make bench` and `make bench-compare` do.

All of it takes minutes and runs in `make test-long` alone. The page is looked at by a browser, in a
container without a network.
"""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import lab
from jessy_stack import SECONDS, shell

pytestmark = pytest.mark.long

BROWSER = """FROM debian:trixie-slim
RUN apt-get update \\
  && apt-get install -y --no-install-recommends chromium-headless-shell fonts-dejavu-core
"""
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
    graphs: [...inside.querySelectorAll("svg")].map((one) => [box(one).width, box(one).height,
      [...one.querySelectorAll("circle, polyline, path, rect")].filter(
        (mark) => mark.getBBox().width + mark.getBBox().height > 0).length]),
    asked: page.contentWindow.performance.getEntriesByType("resource").length,
  }}) + "END";
}};
</script>
"""


@dataclass
class Bench:
    """A copy of the sources on the build host, and what `make bench` left of one run."""

    home: str
    figures: dict[str, object]
    page: str
    containers: list[dict[str, object]]

    def run(self, module: str, *words: str) -> tuple[int, str]:
        """One of the programs, as the makefile calls it; its exit and what it wrote."""
        return program(self.home, module, *words)


def program(home: str, module: str, *words: str) -> tuple[int, str]:
    known = "/etc/maestro/build-ca.crt"
    out = shell(
        f"cd {home} && test ! -e {known} || export BUILD_CA_FILE={known}; TEST_TAG=bench "
        f"PYTHONPATH=benchmarks python3 -m jessy.{module} {' '.join(words)}; echo code $?"
    )
    text, _, code = out.rpartition("code ")
    return int(code), text


# Each container of the benchmarks while it runs, once.
LOOK = (
    "while ! test -e {0}/done; do for c in $(docker ps -q --filter "
    "label=com.docker.compose.project=jessy-bench); do test -e {0}/$c || "
    "docker inspect -f '{{{{json .}}}}' $c >{0}/$c 2>/dev/null; done; sleep 0.2; done; "
    "rm {0}/done; cat {0}/*"
)


@pytest.fixture(scope="module")
def bench(demo: lab.Run) -> Iterator[Bench]:
    archive = lab.archive("docker/jessy", "benchmarks/jessy")
    home = shell("mktemp -d -p /var/tmp").strip()
    shell(f"tar -x -C {home} && mkdir {home}/seen", stdin=archive)
    seen: list[str] = []
    look = threading.Thread(target=lambda: seen.append(shell(LOOK.format(f"{home}/seen"))))
    look.start()
    try:
        words = ("--seconds", "1", "--load-seconds", "8", "--to", f"{home}/out")
        code, out = program(home, "run", *words)
        shell(f"touch {home}/seen/done")
        look.join()
        assert code == 0, out
        containers = [json.loads(line) for line in seen[0].splitlines() if line.startswith("{")]
        figures = json.loads(shell(f"cat {home}/out/bench.json"))
        yield Bench(home, figures, shell(f"cat {home}/out/index.html"), containers)
    finally:
        shell(f"touch {home}/seen/done; sleep 1; rm -rf {home}", check=False)


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
    assert bench.page.count("<svg") >= len(names) + 4
    assert not re.search(r"(?i)(src|href|url\()\s*=?\s*[\"']?\s*(https?:)?//", bench.page)


@pytest.fixture(scope="module")
def browser(demo: lab.Run) -> str:
    """An image with Debian's browser, made once and kept."""
    shell("docker build -q -t jessy-browser -", stdin=BROWSER.encode())
    return "jessy-browser"


@pytest.mark.requirement("R10.2")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_the_report(bench: Bench, browser: str, width: int) -> None:
    probe = PROBE.format(width=width, page=html.escape(bench.page))
    path = f"{bench.home}/probe.html"
    shell(f"cat >{path}; chmod -R a+rX {bench.home}", stdin=probe.encode())
    alone = f"docker run --rm --network none -v {path}:/probe.html:ro {browser}"
    dom = shell(
        f"{alone} chromium-headless-shell --no-sandbox --disable-gpu "
        "--window-size=1400,3200 --virtual-time-budget=10000 --dump-dom file:///probe.html"
    )
    found = json.loads(html.unescape(dom.partition(">FOUND")[2].partition("END<")[0]))
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["beyond"] == []
    assert found["asked"] == 0
    assert len(found["graphs"]) == bench.page.count("<svg")
    for wide, high, marks in found["graphs"]:
        assert 200 < wide <= width
        assert high > 50
        assert marks > 0


@pytest.mark.requirement("R10.5")
def test_the_machine_is_measured_in_the_same_seconds(bench: Bench) -> None:
    load = bench.figures["load"]
    assert isinstance(load, dict)
    assert {"p50", "p95", "p99", "max"} <= set(load["milliseconds"])
    assert load["requests"] > 0
    assert len(load["samples"]) >= 2
    for sample in load["samples"]:
        assert load["begun"] <= sample["time"] <= load["ended"]
        assert min(sample[key] for key in ("cpu_percent", "memory_bytes", "network_bytes")) > 0


SAME = ("--old", "jessy-bench:dev", "--new", "jessy-bench:dev", "--only", "seeded")


@pytest.mark.requirement("R10.3", "T2.3")
def test_what_became_slower_is_found_and_named(bench: Bench) -> None:
    assert bench.run("compare", *SAME, "--to", f"{bench.home}/same")[0] == 0
    code, out = bench.run("compare", *SAME, "--seeded", "200", "--to", f"{bench.home}/twice")
    assert code == 1
    times = re.search(r"bench-compare: seeded became slower: ([\d.]+) ns before, ([\d.]+) ns", out)
    assert times
    assert 1.6 < float(times[2]) / float(times[1]) < 2.5
    known = json.loads(shell(f"cat {bench.home}/twice/compare.json"))["seeded"]
    assert known["verdict"] == "slower"
    page = Path("compare.html")
    assert "became" not in shell(f"cat {bench.home}/same/{page}")


def test_a_tenth_is_found_and_nothing_is_made_up(
    bench: Bench, show: Callable[[str, str], None]
) -> None:
    """10 times of 10, and at most one false one of 20, on a machine that does other things too."""
    found = [bench.run("compare", *SAME, "--seeded", "110")[0] for _ in range(10)]
    false = [bench.run("compare", *SAME)[0] for _ in range(20)]
    show("Regressions", f"a tenth: {sum(found)} of 10 found; equal runs: {sum(false)} of 20 false")
    assert found == [1] * 10
    assert sum(false) <= 1

"""The pages of the benchmarks: one file each, with its graphs inside; nothing is loaded."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from jessy.paired import LEVEL, TOLERANCE, Verdict

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 60rem; }
body { padding: 0 1rem; color: #222; }
h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: #444; }
@media (max-width: 40rem) { svg text { font-size: 18px; } }
figure { margin: 0; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .4rem; border-bottom: 1px solid #ddd; }
td, th { overflow-wrap: anywhere; }
.slower { color: #b00; font-weight: bold; } .faster { color: #060; }
@media print { body { margin: 0; max-width: none; } }
"""
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 210, 100, 30, 26


def document(title: str, body: str) -> str:
    """A whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n{body}</body></html>\n"
    )


def number(value: float) -> str:
    """A figure with four digits, never with an exponent where it is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"


def scale(value: float, low: float, high: float, start: float, end: float) -> float:
    """Where a value lies on an axis, in the units of the picture."""
    return start if high == low else start + (value - low) / (high - low) * (end - start)


def graph(points: Sequence[tuple[float, float]], x: str, y: str, *, line: bool = False) -> str:
    """Points, or a line through them, from zero upwards; `x` and `y` name the axes."""
    highest = max((value for _, value in points), default=0.0) * 1.1 or 1.0
    first, last = points[0][0], points[-1][0]
    places = [
        (
            scale(at, first, last, LEFT, WIDTH - 10),
            scale(value, 0, highest, HEIGHT - BOTTOM, TOP),
        )
        for at, value in points
    ]
    marks = (
        '<polyline fill="none" stroke="#26c" stroke-width="2" points="'
        + " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        + '"/>'
        if line
        else "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="#26c"/>' for a, b in places)
    )
    ticks = "".join(
        f'<text x="{LEFT - 6}" y="{scale(value, 0, highest, HEIGHT - BOTTOM, TOP) + 4:.1f}" '
        f'text-anchor="end">{number(value)}</text>'
        for value in (0, highest / 2, highest)
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(y)}">'
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 10}" fill="none" stroke="#999"/>'
        f"{ticks}{marks}"
        f'<text x="{WIDTH - 10}" y="{HEIGHT - 8}" text-anchor="end">{html.escape(x)}</text>'
        f'<text x="{LEFT + 6}" y="15">{html.escape(y)}</text></svg></figure>\n'
    )


def interval(verdict: Verdict) -> str:
    """A ratio with its interval, between 0.8 and 1.25, where 1 is no change."""

    def at(value: float) -> float:
        return scale(min(1.25, max(0.8, value)), 0.8, 1.25, 20, WIDTH - 20)

    colour = {"slower": "#b00", "faster": "#060"}.get(verdict.word, "#26c")
    band = f'x="{at(1 / TOLERANCE):.1f}" width="{at(TOLERANCE) - at(1 / TOLERANCE):.1f}"'
    labels = "".join(
        f'<text x="{at(value):.1f}" y="58" text-anchor="middle">{value:g}</text>'
        for value in (0.8, 0.9, 1, 1.1, 1.2)
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} 64" role="img" aria-label="new by old">'
        f'<rect {band} y="5" height="36" fill="#eee"/>{labels}'
        f'<path d="M{at(1):.1f} 5V41" stroke="#999"/>'
        f'<path d="M{at(verdict.low):.1f} 23H{at(verdict.high):.1f}" stroke="{colour}" '
        'stroke-width="4"/>'
        f'<circle cx="{at(verdict.ratio):.1f}" cy="23" r="6" fill="{colour}"/></svg></figure>\n'
    )


def comparison(found: Mapping[str, Verdict]) -> str:
    """The page of a comparison."""
    rounds = next(iter(found.values())).rounds if found else 0
    method = (
        f"<p>Both versions were measured in turns, {rounds} rounds, who goes first changing from "
        "round to round, so that what else the machine does hits both; both were started anew "
        "several times. In each round the fastest "
        "tenth of short batches counts. A dot is the median of the ratios new by old, its line the "
        f"interval that holds the true one with {LEVEL:.0%} (from the order of the ratios: the "
        "sign test). A function is called slower if its whole interval lies above "
        f"{TOLERANCE:g}, beyond the grey band.</p>\n"
    )
    rows = "".join(
        f'<h2>{html.escape(name)}: <span class="{verdict.word}">{verdict.word}</span></h2>\n'
        f"<p>{verdict.old:,.1f} ns before, {verdict.new:,.1f} ns now; {verdict.ratio:.3f} times "
        f"({verdict.low:.3f} to {verdict.high:.3f}).</p>\n{interval(verdict)}"
        for name, verdict in found.items()
    )
    return document("Jessy: two versions compared", method + rows)


def functions(title: str, found: Mapping[str, Sequence[float]]) -> str:
    """A graph for each function: the time of one call in each sample."""
    parts = [f"<h2>{title}</h2>\n"]
    for name, times in found.items():
        points = [(float(number + 1), time) for number, time in enumerate(times)]
        middle = sorted(times)[len(times) // 2]
        parts.append(f"<h3>{html.escape(name)}: {number(middle)} ns</h3>\n")
        parts.append(graph(points, "sample", "ns for one call"))
    return "".join(parts)


def loaded(load: Mapping[str, Any]) -> str:
    """The load: what came of it, second by second, and what it cost."""
    told = "".join(
        f"<tr><th>{name}</th><td>{value:,.1f} ms</td></tr>\n"
        for name, value in load["milliseconds"].items()
    )
    begun = load["begun"]
    series = (
        ("cpu_percent", "CPU of all containers, %", 1.0),
        ("memory_bytes", "memory of all containers, MB", 1e6),
        ("network_bytes", "network since the start, MB", 1e6),
    )
    graphs = "".join(
        graph(
            [(one["time"] - begun, one[key] / unit) for one in load["samples"]],
            "seconds",
            label,
            line=True,
        )
        for key, label, unit in series
        if load["samples"]
    )
    return (
        "<h2>The whole stack under load</h2>\n"
        f"<p>{load['clients']} clients, {len(load['instances'])} instances of the API: "
        f"{load['requests']:,} requests, {load['requests_per_second']:,.0f} a second, "
        f"{load['failed']} failed.</p>\n<table>{told}</table>\n"
        + graph(load["by_second"], "seconds", "latency, 95 % are faster, ms", line=True)
        + graphs
    )


def report(figures: Mapping[str, Any]) -> str:
    """The page of `make bench`."""
    return document(
        "Jessy: benchmarks",
        "<p>Measured in containers with one core and 1 GB each. The figures are those of the "
        "machine and the moment: to learn whether a change made something slower, use "
        "<code>make bench-compare</code>, which measures both versions in turns.</p>\n"
        + functions("The core's functions (criterion)", figures["core_ns"])
        + functions("The API's functions (go test -bench)", figures["api_ns"])
        + (loaded(figures["load"]) if "load" in figures else ""),
    )

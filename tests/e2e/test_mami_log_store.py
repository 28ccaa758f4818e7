"""Mami's log store: what is found in it how soon, and what it costs when it is away.

It waits for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from e2e import lab
from mami_stack import HOST, ask, container, facts, metric, stored

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

LOST = 'mami_log_lines_dropped_total{sink="elasticsearch"}'
SLOWER = 0.05  # seconds
RATE, MINUTE = 20, 60  # requests a second, seconds
# Asks the API in its network, one request after the other when each is due; writes seconds of each.
ASK = """
import http.client, json, sys, time
host, name, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
link = http.client.HTTPConnection(host, 8000, timeout=30)
took, began = [], time.monotonic()
for number in range(rate * seconds):
    time.sleep(max(0, began + number / rate - time.monotonic()))
    path = "/api/health" if number % 10 == 0 else "/api/images/none"
    at = time.monotonic()
    link.request("GET", path, headers={"X-Request-ID": f"{name}-{number}"})
    answer = link.getresponse()
    answer.read()
    assert answer.status == (200 if number % 10 == 0 else 404), answer.status
    took.append(time.monotonic() - at)
print(json.dumps(took))
"""
LINES = RATE * MINUTE * 9 // 10  # of the health report there is none


def found(query: str) -> Any:
    """The lines that a query finds."""
    return stored(f"/mami-logs-*/_search?size=5&q={quote(query)}")["hits"]


def count(name: str) -> int:
    """How many requests of a minute the store has."""
    answer = stored(f"/mami-logs-*/_count?q={quote(f'request_id:{name}-*')}")
    return int(answer["count"])


def asked(name: str) -> list[float]:
    """Seconds of each request of a minute."""
    address = facts("mami-ai")["NetworkSettings"]["Networks"]["mami-network"]["IPAddress"]
    argv = ["ssh", "-F", ".lab/ssh_config", HOST, "python3", "-", address, name]
    argv += [str(RATE), str(MINUTE)]
    done = subprocess.run(
        argv, cwd=lab.PROJECT, input=ASK, capture_output=True, text=True, check=True
    )
    took: list[float] = json.loads(done.stdout)
    return sorted(took)


def test_an_error_is_found_by_service_level_and_request() -> None:
    ident = f"error-{time.time_ns()}"
    question = ("-X", "POST", "-H", "Content-Type: application/json", "-d", '{"message": "Hello"}')
    status, body = ask("/api/chat", "-H", f"X-Request-ID: {ident}", *question)
    assert status == 503, body
    began = time.monotonic()
    query = f"service:mami-ai AND level:error AND request_id:{ident}"
    while not (hits := found(query)["hits"]) and time.monotonic() - began < 10:
        time.sleep(0.3)
    assert "no model of the chain chat answered" in hits[0]["_source"]["message"]


@pytest.mark.alone
@pytest.mark.parametrize(("away", "back"), [("stop", "start"), ("pause", "unpause")])
def test_a_minute_without_it_delays_no_request_and_loses_no_line_in_silence(
    away: str, back: str, show: Callable[[str, str], None]
) -> None:
    """The most that nine requests of ten took, and all of them: a busy host adds to the rest."""
    store, lost = container("elasticsearch"), metric(LOST)
    names = {kind: f"{kind}-{time.time_ns()}" for kind in ("with", "without")}
    took = {"with": asked(names["with"])}
    lab.ssh(HOST, f"docker {away} {store}")
    try:
        took["without"] = asked(names["without"])
        assert json.loads(ask("/api/health")[1])["elasticsearch"] == "error"
    finally:
        lab.ssh(HOST, f"docker {back} {store}")
    began = time.monotonic()
    while time.monotonic() - began < 300:
        try:
            if (have := count(names["without"])) + metric(LOST) - lost >= LINES:
                break
        except AssertionError:
            pass  # the store is not up yet
        time.sleep(1)
    text = [
        f"{kind} it: median {statistics.median(one) * 1000:.1f} ms, 90 % within "
        f"{one[len(one) * 9 // 10] * 1000:.1f} ms, all within {one[-1] * 1000:.1f} ms"
        for kind, one in took.items()
    ]
    late = f"{have} of {LINES} lines arrived {time.monotonic() - began:.0f} s after it was back"
    show(f"log store: {away}", "\n".join([*text, f"{late}, {metric(LOST) - lost:.0f} are lost"]))
    assert have + metric(LOST) - lost == LINES, "none is lost in silence, and none is there twice"
    for part in (1 / 2, 9 / 10):
        first, then = (one[int(len(one) * part)] for one in (took["with"], took["without"]))
        assert then <= first + SLOWER
    assert count(names["with"]) == LINES

"""Try new containers on a part of the requests before the rest follows."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from . import health, smoke
from .engine import Engine

PAUSE = 1.0  # seconds between two rounds of checks
ANSWER_WITHIN = 5.0  # seconds one check may take


def watch(engine: Engine, containers: Mapping[str, str], rule: Mapping[str, Any], port: int) -> str:
    """Make the checks of ``x-maestro.routes[].canary`` for its duration, round after round.

    ``containers`` maps ids to the addresses at which the edge reaches them.
    Returns the first thing that is wrong, or an empty string. A container that turns
    unhealthy or ends is wrong in any case.
    """
    deadline = time.monotonic() + float(rule["duration"])
    while True:
        left = deadline - time.monotonic()
        bad = health.watch(engine, containers, max(min(PAUSE, left), 0))
        problems = [*bad.values(), *_checks(containers.values(), rule, port)]
        if problems:
            return problems[0]
        if time.monotonic() >= deadline:
            return ""


def _checks(addresses: Iterable[str], rule: Mapping[str, Any], port: int) -> list[str]:
    problems = []
    for check in rule.get("checks") or []:
        try:
            if "prometheus" in check:
                _prometheus(check["prometheus"])
                continue
            spec = check["http"]
            for address in addresses:
                shown = f"[{address}]" if ":" in address else address
                smoke.answers(f"http://{shown}:{port}{spec['path']}", spec, ANSWER_WITHIN)
        except smoke.Failed as error:
            problems.append(str(error))
    return problems


def _prometheus(spec: Mapping[str, Any]) -> None:
    """Compare every series of an instant query; no series is no verdict against it.

    API: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    query = urllib.parse.urlencode({"query": spec["query"]})
    url = f"{str(spec['url']).rstrip('/')}/api/v1/query?{query}"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN) as response:  # noqa: S310 -- http(s) by the schema
            document = json.load(response)
        result = document["data"]["result"]
        samples = (
            [result[1]]
            if document["data"]["resultType"] == "scalar"
            else [series["value"][1] for series in result]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise smoke.Failed(f"the query {spec['query']} got no answer: {error}") from error
    for value in map(float, samples):
        if "below" in spec and not value < float(spec["below"]):
            raise smoke.Failed(f"{spec['query']} is {value:g}, not below {spec['below']:g}")
        if "above" in spec and not value > float(spec["above"]):
            raise smoke.Failed(f"{spec['query']} is {value:g}, not above {spec['above']:g}")

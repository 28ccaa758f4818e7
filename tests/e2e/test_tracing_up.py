"""Jessy in development with the store of traces, which exists with its profile alone.

It builds Jaeger, which takes many minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import developing
import pytest
from developing import Developing, docker, eventually
from e2e import lab

pytestmark = pytest.mark.long

# None of them the default: what is set has to move what is published.
SETTINGS = {
    "JESSY_PORT": "18080",
    "JAEGER_PORT": "16786",
    "JAEGER_ENABLED": "true",
    "PROMETHEUS_ENABLED": "false",
}


@pytest.fixture(scope="module")
def jessy(tmp_path_factory: pytest.TempPathFactory, lab_made: None) -> Iterator[Developing]:
    """The stack in a fresh copy, with what it takes of its neighbour's directory."""
    home = tmp_path_factory.mktemp("traced")
    copy = developing.copy(home / "jessy")
    for part in ("jaeger", "config/jaeger"):
        shutil.copytree(lab.PROJECT / "docker/observability" / part, home / "observability" / part)
    settings = copy.home / ".env"
    lines = [
        line for line in settings.read_text().splitlines() if line.partition("=")[0] not in SETTINGS
    ]
    settings.write_text("\n".join([*lines, *(f"{k}={v}" for k, v in SETTINGS.items())]) + "\n")
    copy.remove()
    try:
        copy.make("up").ok()
        yield copy
    finally:
        copy.compose("--profile", "*", "down", "--remove-orphans", "--timeout", "2")
        copy.remove()


def services(jessy: Developing) -> set[str]:
    """Those that have a container."""
    form = '{{.Label "com.docker.compose.service"}}'
    own = f"label=com.docker.compose.project={jessy.project}"
    return set(docker("ps", "--all", "--filter", own, "--format", form).split())


def status(url: str, **headers: str) -> int:
    """What a URL answers with; 0 where nothing does."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=10
        ) as got:
            return int(got.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.requirement("D45")
def test_what_env_says_moves_the_port_and_starts_no_monitor(jessy: Developing) -> None:
    names = {
        line.partition("=")[0] for line in (jessy.home / ".env.example").read_text().splitlines()
    }
    assert names >= {
        *("RUST_LOG", "RUST_BACKTRACE", "JESSY_PORT", "GO_ENV", "API_PORT", "RUST_SERVICE_URL"),
        *("DATABASE_URL", "PROMETHEUS_ENABLED", "JAEGER_ENABLED"),
    }
    assert jessy.compose("port", "jessy-core", "8080").ok().out.strip() == "127.0.0.1:18080"
    assert status("http://127.0.0.1:18080/health") == 200
    assert services(jessy) == {"db", "migrate", "jessy-core", "jessy-api"}
    assert status("http://127.0.0.1:18080/metrics") == 404


def test_with_its_profile_the_store_has_the_trace_of_a_request(jessy: Developing) -> None:
    profile = {"COMPOSE_PROFILES": "tracing"}
    lab.run("make", "up", f"JESSY={jessy.home}", env=profile, timeout=7200).ok()
    assert "jaeger" in services(jessy)
    store = f"http://127.0.0.1:{SETTINGS['JAEGER_PORT']}"
    assert status(f"{store}/") == 200
    trace = secrets.token_hex(16)
    url = f"http://127.0.0.1:{developing.PORTS['API_PORT']}/api/notes"
    assert status(url, traceparent=f"00-{trace}-b7ad6b7169203331-01") == 200

    def known() -> bool:
        with urllib.request.urlopen(f"{store}/api/traces?service=jessy-api", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"] or []
        mine = [one["processes"].values() for one in found if one["traceID"] == trace]
        names = {process["serviceName"] for many in mine for process in many}
        return names == {"jessy-api", "jessy-core"}

    eventually(known)

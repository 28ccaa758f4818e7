"""A third stack, after Docker's sample flask-redis: files in a directory and variables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e import lab

pytestmark = pytest.mark.long

GIVEN = os.environ.get("MAESTRO_TEST_HOST")
HOST = GIVEN or "staging-2"
INVENTORY = os.environ.get("MAESTRO_TEST_INVENTORY", ".cache/dev/hosts.yml")
WHERE = {"ANSIBLE_INVENTORY": INVENTORY} if GIVEN else {}
STACK = "hits"
# The sample publishes both ports and runs as root: here the edge asks for the page.
COMPOSE = """\
services:
  redis:
    image: ${REGISTRY:-registry.test:5000}/gallery:1
    command: [redis-server, --save, "", --bind, "*", --protected-mode, "no"]
    user: "999:999"
    read_only: true
    mem_limit: 64m
    stop_grace_period: 1s
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s}
  web:
    image: ${REGISTRY:-registry.test:5000}/gallery:1
    command: [python3, -u, /code/app.py]
    user: "1000:1000"
    read_only: true
    environment: {GREETING: "${GREETING:-Hello}", VERSION: "${VERSION:-dev}"}
    volumes: ["./app.py:/code/app.py:ro"]
    mem_limit: 64m
    stop_grace_period: 1s
    depends_on: {redis: {condition: service_healthy}}
    healthcheck: {test: "busybox wget -q -O /dev/null http://127.0.0.1:8000/", interval: 1s}
x-maestro:
  routes: [{service: web, port: 8000, host: hits.test, drain: 0}]
"""
APP = '''\
"""Counts visits, as the sample does."""
import http.server, os, socket

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with socket.create_connection(("redis", 6379), timeout=5) as redis:
            redis.sendall(b"INCR hits\\r\\n")
            number = redis.recv(64)[1:].split()[0].decode()
        text = f"{os.environ['GREETING']}! This page has been viewed {number} times.".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
'''


def play(playbook: str, stacks: Path, *words: str) -> lab.Run:
    """A playbook for the stack, with a variable of it from the inventory's place."""
    given = {
        "maestro_stacks_dir": str(stacks),
        "maestro_stack_variables": {STACK: {"GREETING": "Good day"}},
    }
    more = ("-e", json.dumps(given), *words)
    return lab.playbook(playbook, "-l", HOST, "-e", f"stack={STACK}", *more, env=WHERE)


@pytest.fixture
def stacks(lab_made: None, tmp_path: Path) -> Iterator[Path]:
    """The directory of stacks, which has this one alone; it is removed from the host at the end."""
    home = tmp_path / "docker" / STACK
    home.mkdir(parents=True)
    (home / "compose.yaml").write_text(COMPOSE)
    (home / "app.py").write_text(APP)
    yield home.parent
    play("playbooks/remove.yml", home.parent).ok()


def visit() -> str:
    """What the page says, through the edge."""
    words = "curl -skf --resolve hits.test:443:127.0.0.1 https://hits.test/"
    return lab.ssh(HOST, words)


def test_a_third_stack_is_files_in_a_directory_and_variables(stacks: Path) -> None:
    status = ("git", "status", "--porcelain")
    before = lab.run(*status).ok().out
    play("deploy.yml", stacks, "-e", "version=v1").ok()
    # Its health check visits it too.
    assert re.fullmatch(r"Good day! This page has been viewed \d+ times\.", visit())
    again = play("deploy.yml", stacks, "-e", "version=v1").ok()
    assert again.changed(HOST) == [0]
    assert lab.run(*status).ok().out == before, "nothing else was written for it"

"""A secret's value is in its file, in the memory of its readers, and nowhere else."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from counter import Counter, write_secret
from e2e import lab

pytestmark = pytest.mark.usefixtures("production")


def forms(value: str) -> list[str]:
    """The value as it is and as programs like to write it."""
    raw = value.encode()
    return [
        value,
        base64.b64encode(raw).decode().rstrip("="),
        urllib.parse.quote(value, safe=""),
        raw.hex(),
    ]


def search(host: str, value: str | tuple[str, ...], command: str) -> str:
    """Files or lines on a host that hold a value; it travels as standard input, not in argv."""
    values = (value,) if isinstance(value, str) else value
    done = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", host, command],
        cwd=lab.PROJECT,
        input="".join(f"{form}\n" for value in values for form in forms(value)),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout.strip()


# Each reads the patterns from standard input and prints where one occurs.
PLACES = {
    "docker inspect of everything": "cat > /dev/shm/p; "
    "docker inspect $(docker ps -aq) $(docker images -q) $(docker network ls -q) "
    "$(docker volume ls -q) | grep -F -f /dev/shm/p | head -3; rm /dev/shm/p",
    "environments and arguments": "cat > /dev/shm/p; "
    "grep -lF -f /dev/shm/p /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; rm /dev/shm/p",
    "files outside the secrets' own directory": "cat > /dev/shm/p; "
    "grep -rlF -f /dev/shm/p /opt /tmp /var/tmp /run/maestro* /root /etc /var/log "
    "--exclude-dir=secrets 2>/dev/null; rm /dev/shm/p",
    "logs of the containers": "cat > /dev/shm/p; for c in $(docker ps -aq); do "
    "docker logs $c 2>&1; done | grep -F -f /dev/shm/p | head -3; rm /dev/shm/p",
    "the journal": "cat > /dev/shm/p; journalctl --no-pager -o cat | grep -F -f /dev/shm/p | "
    "head -3; rm /dev/shm/p",
    "the images": "cat > /dev/shm/p; docker save $(docker ps --format '{{.Image}}' | sort -u) | "
    "grep -c -a -F -f /dev/shm/p | grep -v '^0$'; rm /dev/shm/p",
}


class Watch(threading.Thread):
    """Looks at a host's processes and temporary files while a deploy runs."""

    def __init__(self, host: str, value: str) -> None:
        super().__init__(daemon=True)
        self.host, self.value, self.done, self.found = host, value, threading.Event(), ""

    def run(self) -> None:
        # One remote loop, bounded in time, so that short-lived processes are met.
        self.found = search(
            self.host,
            self.value,
            "cat > /dev/shm/w; for i in $(seq 200); do test -e /dev/shm/stop && break; "
            "grep -lF -f /dev/shm/w /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; "
            "grep -rlF -f /dev/shm/w /tmp /run/maestro* /root/.ansible 2>/dev/null; sleep 0.1; "
            "done; rm -f /dev/shm/w",
        )


def left_on_the_controller(value: str, allowed: Path) -> list[Path]:
    """Files of Ansible and of temporary directories here that hold the value."""
    # Tests beside this one make and remove directories there: `os.walk` passes over what is gone.
    files = []
    for directory in (Path.home() / ".ansible", Path("/tmp")):
        for folder, inner, names in os.walk(directory):
            # A system that is being made there has the kernel's files in it: some never end.
            inner[:] = [name for name in inner if not Path(folder, name).is_mount()]
            files += [Path(folder, name) for name in names]
    files = [file for file in files if not file.is_relative_to(allowed)]
    return [file for file in files if holds(file, value.encode())]


def holds(file: Path, value: bytes) -> bool:
    """Whether a regular file here holds the value; one that goes away meanwhile does not."""
    try:
        return file.is_file() and file.stat().st_size < 1 << 24 and value in file.read_bytes()
    except OSError:
        return False


@pytest.mark.requirement("C4", "T7.5", "D54", "R9.4")
def test_a_new_value_shows_nowhere(deployed: Counter) -> None:
    one = deployed.on(deployed.hosts[0])
    value = f"canary+{secrets.token_hex(12)}/%&\"'x"
    path = one.token_file
    watches = [Watch(host, value) for host in one.hosts]
    for watch in watches:
        watch.start()
    try:
        write_secret(path, value)
        good = one.deploy("-vvv", "--diff").ok()
        bad = one.deploy("-e", "version=unhealthy-1", "-vvv", "--diff").failed("web")
        for host in one.hosts:
            lab.ssh(host, "touch /dev/shm/stop")
        for watch in watches:
            watch.join(60)
            assert watch.found == "", watch.host
        for run in (good, bad):
            assert not [form for form in forms(value) if form in run.out]
        for host in one.hosts:
            token = search(
                host,
                value,
                "cat > /dev/shm/p; grep -rlF -f /dev/shm/p "
                "/opt/maestro/counter/secrets; rm /dev/shm/p",
            )
            assert token.count("\n") == 0, "exactly one file holds the value"
            assert token.startswith("/opt/maestro/counter/secrets/app_token/")
            for place, command in PLACES.items():
                assert search(host, value, command) == "", f"{place} on {host}"
        assert not left_on_the_controller(value, one.secrets)
    finally:
        for host in one.hosts:
            lab.ssh(host, "rm -f /dev/shm/stop /dev/shm/w")
        write_secret(path, one.token)
        one.deploy().ok()


def test_the_search_would_find_a_leak(deployed: Counter) -> None:
    """The places are really looked at: a value that is there is found."""
    host = deployed.hosts[0]
    value = f"planted-{secrets.token_hex(8)}"
    command = f"PLANTED={value} sleep 20 & echo {value} > /tmp/planted; sleep 0.5"
    subprocess.Popen(
        ["ssh", "-F", ".lab/ssh_config", host, command],
        cwd=lab.PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        found = {}
        while time.monotonic() < deadline and not all(found.get(p) for p in list(PLACES)[1:3]):
            found = {place: search(host, value, PLACES[place]) for place in list(PLACES)[1:3]}
        assert all(found.values()), found
    finally:
        lab.ssh(host, "rm -f /tmp/planted")


@pytest.mark.requirement("C9", "R9.4")
def test_the_logs_are_shown_without_what_a_service_let_slip(deployed: Counter) -> None:
    """The value goes into the service's own log as it is and in base64."""
    host = deployed.hosts[0]
    web = lab.containers(host, "counter")["web"]
    token = "/run/secrets/app_token"
    lab.ssh(
        host,
        f"docker exec {web} python3 -c \"import base64; t = open('{token}', 'rb').read(); "
        "open('/proc/1/fd/1', 'wb').write(b'slipped %s %s.\\n' % (t, base64.b64encode(t)))\"",
    )
    assert deployed.token in lab.ssh(host, f"docker logs {web} 2>&1"), "it is there"
    show = ("playbooks/logs.yml", "-l", host, *deployed.arguments("-vvv"))
    run = lab.playbook(*show, "-e", "service=web", "-e", "tail=20").ok()
    assert run.changed(host) == [0]
    assert "slipped *** ***." in run.out
    assert not [form for form in forms(deployed.token) if form in run.out]
    lab.playbook(*show, "-e", "service=wep").failed("no container of wep", "choose from redis, web")
    lab.playbook(*show, "-e", "since=lately").failed("the logs cannot be read", "lately")

"""Where the time of a no-op, a new version and a rollback goes, step by step, drawn as one picture.

Plays a small stack on hosts of the lab and reads the accounts of the kernel whenever a task
begins: processor time of the playbook's own process, of its children (a fork for each task and
host, SSH), and of the hosts, which are containers here. Writes an SVG; prints the same as a table.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from runner import PLAYBOOK, PROJECT, run, say, ssh

STACK = "bench-profile"
COLOURS = {"wall": "#c9d1d9", "playbook": "#4c78a8", "forks and SSH": "#f58518", "hosts": "#54a24b"}
TICKS = os.sysconf("SC_CLK_TCK")
TASK = re.compile(r"^(?:TASK|PLAY RECAP|PLAY) \[?([^\]*]*)")


@dataclass(frozen=True)
class Account:
    """Seconds since some beginning: on the clock, and of processors."""

    wall: float
    playbook: float
    children: float
    hosts: float

    def since(self, other: Account) -> tuple[float, float, float, float]:
        """What was used between the two, in the order of `COLOURS`."""
        return (
            self.wall - other.wall,
            self.playbook - other.playbook,
            self.children - other.children,
            self.hosts - other.hosts,
        )


Steps = list[tuple[str, tuple[float, float, float, float]]]


def cgroup(host: str) -> Path:
    """The file with the processor time of a lab host."""
    settings = yaml.safe_load((PROJECT / ".lab/settings.yml").read_text(encoding="utf-8"))
    full = f"{settings['name']}-{host}"
    found = run("docker", "inspect", "--format", "{{.Id}}", full).strip()
    for pattern in ("cpuacct/docker/{}/cpuacct.usage", "system.slice/docker-{}.scope/cpu.stat"):
        path = Path("/sys/fs/cgroup") / pattern.format(found)
        if path.exists():
            return path
    sys.exit(f"no account of the processor time of {full} under /sys/fs/cgroup")


def used(files: Sequence[Path]) -> float:
    """Seconds of processor that hosts have used."""
    total = 0.0
    for file in files:
        text = file.read_text(encoding="ascii").split()
        total += int(text[1]) / 1e6 if text[0] == "usage_usec" else int(text[0]) / 1e9
    return total


def account(pid: int, files: Sequence[Path]) -> Account:
    """How things stand now."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        own, children = (sum(map(int, stat[at : at + 2])) / TICKS for at in (11, 13))
    except (OSError, ValueError):
        own = children = 0.0
    return Account(time.monotonic(), own, children, used(files))


def profile(words: Sequence[str], files: Sequence[Path]) -> Steps:
    """Play, and tell what each task used; the first is what comes before any."""
    plain = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"}
    environ = {**os.environ, **plain, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 -- an argument list, no shell
        [PLAYBOOK, *words],
        cwd=PROJECT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as play:
        found: Steps = []
        said = []
        name, before = "start, imports, inventory", account(play.pid, files)
        before = Account(before.wall, 0, 0, before.hosts)
        for line in play.stdout or ():
            said.append(line)
            if match := TASK.match(line):
                now = account(play.pid, files)
                found.append((name, now.since(before)))
                name, before = match[1].strip() or "end", now
        if play.wait():
            sys.exit(f"{' '.join(words)} failed:\n{''.join(said)[-3000:]}")
        return found


def model(version: str, image: str) -> str:
    """A service with a health check and a route, which says which version it is."""
    check = ["CMD", "busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/hostname"]
    web = {
        "image": image,
        "command": ["busybox", "httpd", "-f", "-p", "8000", "-h", "/etc"],
        "environment": {"VERSION": version},
        "init": True,
        "stop_grace_period": "1s",
        "healthcheck": {"test": check, "interval": "1s"},
    }
    route = {"service": "web", "port": 8000, "host": f"{STACK}.test", "health": ["/hostname"]}
    return yaml.safe_dump({"services": {"web": web}, "x-maestro": {"routes": [route]}})


def scenarios(home: Path, hosts: str, image: str) -> Iterator[tuple[str, list[str]]]:
    """What is played, one after the other; yields what is measured."""
    said = {
        "maestro_stacks_dir": str(home),
        "maestro_secrets": {"source": "directory", "path": str(home / "secrets")},
    }
    more = ["-l", hosts, "-e", f"stack={STACK}", "-e", json.dumps(said)]
    file = home / STACK / "compose.yaml"
    file.parent.mkdir()
    for version in ("v1", "v2"):
        file.write_text(model(version, image), encoding="utf-8")
        deploy = ["deploy.yml", *more, "-e", f"version={version}"]
        if version == "v1":
            run(PLAYBOOK, *deploy)
            yield "nothing to do", deploy
        else:
            yield "a new version", deploy
    yield "rollback", ["playbooks/rollback.yml", *more]


def draw(found: Sequence[tuple[str, Steps]], title: str) -> str:
    """The picture: a bar for each step, its parts below each other."""
    left, width, height = 330, 620, 9
    longest = max(part[1][0] for _, steps in found for part in steps)
    parts, y = [], 40
    parts.append(f'<text x="10" y="20" font-size="15">{html.escape(title)}</text>')
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = left + number * 150
        parts.append(f'<rect x="{x}" y="26" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="35">{name}</text>')
    for name, steps in found:
        total = [sum(values[at] for _, values in steps) for at in range(4)]
        y += 22
        shown = f"{name}: {total[0]:.2f} s; processors {sum(total[1:]):.2f} s"
        parts.append(f'<text x="10" y="{y}" font-size="13" font-weight="bold">{shown}</text>')
        y += 6
        for step, values in steps:
            parts.append(f'<text x="10" y="{y + 22}">{html.escape(step[:52])}</text>')
            for colour, value in zip(COLOURS.values(), values, strict=True):
                wide = max(value, 0) / longest * width
                parts.append(
                    f'<rect x="{left}" y="{y}" width="{wide:.1f}" height="{height - 1}"'
                    f' fill="{colour}"/>'
                    f'<text x="{left + wide + 4:.1f}" y="{y + 8}" font-size="8">{value:.2f}</text>'
                )
                y += height
            y += 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" height="{y + 10}"'
        ' font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hosts", nargs="?", default="staging-1", help="names with commas")
    parser.add_argument("--picture", type=Path, default=PROJECT / ".cache/bench-profile.svg")
    parser.add_argument("--image", default="registry.test:5000/gallery:1")
    options = parser.parse_args()
    hosts = options.hosts.split(",")
    files = [cgroup(host) for host in hosts]
    found: list[tuple[str, Steps]] = []
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        secret = home / "secrets/staging/common/registry_password"
        secret.parent.mkdir(parents=True)
        secret.touch(0o600)
        secret.write_text((PROJECT / ".lab/registry_password").read_text(encoding="utf-8"))
        try:
            for name, words in scenarios(home, options.hosts, options.image):
                found.append((name, profile(words, files)))
        finally:
            for host in hosts:
                ssh(
                    host,
                    f"docker ps -aq --filter label=com.docker.compose.project={STACK} | "
                    f"xargs -r docker rm -f; docker network rm {STACK}_default; "
                    f"rm -rf /opt/maestro/{STACK} /etc/maestro/edge/dynamic/stack-{STACK}.yml",
                )
    for name, steps in found:
        wall, *used_by = (sum(values[at] for _, values in steps) for at in range(4))
        say(f"{name}: {wall:.2f} s; processors: controller {sum(used_by[:2]):.2f} s")
        for step, values in steps:
            say("  " + " ".join(f"{value:7.2f}" for value in values) + f"  {step}")
    say("  columns: " + ", ".join(COLOURS))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_text(draw(found, f"{STACK} on {options.hosts}"), encoding="utf-8")
    say(f"drawn: {options.picture}")


if __name__ == "__main__":
    main()

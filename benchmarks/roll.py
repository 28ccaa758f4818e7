"""Replacing one service start-first, and going back: Maestro beside bare commands that do the same.

Both replace a web service of their own on the same host, in turn, each time by a version that the
host does not have yet, and then go back to the version before. The bare commands are what a careful
operator types: pull, start the new container beside the old one, wait until it is healthy, switch
the route file, wait until the edge answers with the new version, stop the old container. The edge
is asked twenty times a second meanwhile. Prints medians, and the medians of the differences within
the rounds. The way back is also compared with the bare start of a container: what Compose and the
health check take. Needs the lab with its edge (`make demo`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from runner import PLAYBOOK, PROJECT, median, run, say, ssh
from watch import Watch

ROUNDS = 7
SOURCE = PROJECT / "tests" / "stacks" / "relay"
OURS, BARE = "roll-maestro", "roll-bare"
# Seconds that Maestro may take more than what it is compared with, by what is compared.
PROMISED = {
    ("deploy", "command", "bare commands"): 0.3,
    ("deploy", "traffic", "bare commands"): 0.2,
    ("rollback", "traffic", "bare start"): 1.5,
    ("rollback", "command", "traffic"): 1.0,
}
# What the bare commands are, each in a connection that is kept open.
UP = (
    f"cd /opt/{BARE} && docker compose --project-name {BARE} up --detach --no-deps --pull never "
    "--scale web=2 --no-recreate web"
)
HEALTHY = (
    "until [ \"$(docker inspect --format '{{{{.State.Health.Status}}}}' {id})\" = healthy ]; "
    "do sleep 0.1; done"
)
ANSWERS = (
    f"until curl -s -H 'Host: {BARE}.test' -D - -o /dev/null http://127.0.0.1/health | "
    "grep -qi '^x-version: {version}'; do sleep 0.05; done"
)
REMOVE = (
    "docker ps -aq --filter label=com.docker.compose.project={stack} | xargs -r docker rm -f; "
    "docker network rm {stack}_default 2>/dev/null || true; "
    "rm -rf /opt/{stack} /opt/maestro/{stack} /etc/maestro/edge/dynamic/*{stack}.yml"
)

Times = dict[tuple[str, str, str], list[float]]  # by what, of what, by whom


def model(stack: str) -> dict[str, Any]:
    """The web service of the stack relay, alone, behind the route ``STACK.test``."""
    found = yaml.safe_load((SOURCE / "compose.yaml").read_text(encoding="utf-8"))
    web = found["services"]["web"]
    for key in ("secrets", "configs", "depends_on", "networks"):
        del web[key]
    web["deploy"]["replicas"] = 1
    # The bare commands hardly watch the new container either; Compose drops a zero.
    web["deploy"]["update_config"] = {"monitor": "100ms"}
    route = {"service": "web", "port": 8000, "host": f"{stack}.test", "health": ["/health"]}
    return {"name": stack, "services": {"web": web}, "x-maestro": {"routes": [route]}}


def build(versions: list[str], home: Path) -> None:
    """Push the versions to the lab's registry; they differ in their last layer."""
    shutil.copytree(SOURCE / "app", home / OURS / "app")
    archive = home / "app.tar"
    run("tar", "-C", str(home / OURS), "-cf", str(archive), ".")
    run("scp", "-q", "-F", ".lab/ssh_config", str(archive), "registry:/tmp/roll.tar")
    run(
        *("ssh", "-F", ".lab/ssh_config", "registry"),
        "set -e; home=$(mktemp -d); trap 'rm -rf $home /tmp/roll.tar' EXIT; cd $home; "
        "tar -xf /tmp/roll.tar; export BUILDX_NO_DEFAULT_ATTESTATIONS=1; "
        f"export REGISTRY=registry.test:5000; for VERSION in {' '.join(versions)}; do "
        "export VERSION; docker compose --progress quiet build --push web; done",
    )


class Maestro:
    """Deploys the stack to a host, and rolls it back."""

    stack = OURS

    def __init__(self, host: str, home: Path) -> None:
        said = {
            "stack": OURS,
            "maestro_stacks_dir": str(home),
            "maestro_secrets": {"source": "directory", "path": str(home / "secrets")},
        }
        self._words = ("-l", host, "-e", json.dumps(said))

    def deploy(self, version: str) -> None:
        """Deploy a version."""
        run(PLAYBOOK, "deploy.yml", *self._words, "-e", f"version={version}")

    def back(self, version: str) -> None:  # noqa: ARG002 -- it knows which one that is
        """Go back to the version before."""
        run(PLAYBOOK, "playbooks/rollback.yml", *self._words)


class Bare:
    """Does the same by bare commands; ``starts`` are the seconds each container took to start."""

    stack = BARE

    def __init__(self, host: str) -> None:
        self._host = host
        self.starts: list[float] = []

    def deploy(self, version: str) -> None:
        """Pull a version, and replace the container."""
        self._ssh(f"docker pull --quiet {self._image(version)}")
        self.back(version)

    def back(self, version: str) -> None:
        """Replace the container by one of a version that is there."""
        old = self._containers()
        document = model(BARE)
        document["services"]["web"]["image"] = self._image(version)
        del document["x-maestro"]
        del document["services"]["web"]["build"]
        self._ssh(f"cat > /opt/{BARE}/compose.yaml", yaml.safe_dump(document))
        started = time.monotonic()
        self._ssh(UP if old else UP.replace("web=2", "web=1"))
        new = next(iter(self._containers() - old))
        self._ssh(HEALTHY.format(id=new))
        self.starts.append(time.monotonic() - started)
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = self._ssh(f"docker inspect --format '{networks}' {new}").strip()
        route = f"/etc/maestro/edge/dynamic/{BARE}.yml"
        self._ssh(f"cat > {route}.new && mv {route}.new {route}", route_file(address))
        self._ssh(ANSWERS.format(version=version))
        if old:
            self._ssh(f"docker stop {' '.join(old)} && docker rm {' '.join(old)}")

    def _ssh(self, command: str, text: str | None = None) -> str:
        return ssh(self._host, command, text)

    def _image(self, version: str) -> str:
        return f"registry.test:5000/relay:{version}"

    def _containers(self) -> set[str]:
        label = f"label=com.docker.compose.project={BARE}"
        return set(self._ssh(f"docker ps -aq --no-trunc --filter {label}").split())


def route_file(address: str) -> str:
    """Traefik's configuration for the bare stack."""
    router = {"rule": f"Host(`{BARE}.test`)", "entryPoints": ["web"], "service": BARE}
    server = {"loadBalancer": {"servers": [{"url": f"http://{address}:8000"}]}}
    return yaml.safe_dump({"http": {"routers": {BARE: router}, "services": {BARE: server}}})


def prepare(host: str, home: Path, versions: list[str]) -> None:
    """Write Maestro's stack, push the images of all versions, and clear the host."""
    text = yaml.safe_dump(model(OURS), sort_keys=False)
    (home / OURS).mkdir()
    (home / OURS / "compose.yaml").write_text(text, encoding="utf-8")
    secret = home / "secrets" / "staging" / "common" / "registry_password"
    secret.parent.mkdir(parents=True)
    secret.touch(0o600)
    secret.write_text((PROJECT / ".lab" / "registry_password").read_text(encoding="utf-8"))
    build(versions, home)
    clear(host)
    ssh(host, f"mkdir -p /opt/{BARE}")


def clear(host: str) -> None:
    """Remove both stacks from the host."""
    for stack in (OURS, BARE):
        ssh(host, REMOVE.format(stack=stack))


def timed(way: Maestro | Bare, port: int, do: Callable[[str], None], version: str) -> list[float]:
    """Seconds that ``do(version)`` took, and until all answers came from that version."""
    watch = Watch(port, "/health", f"{way.stack}.test", lambda got: got.headers["X-Version"])
    with watch:
        started = time.monotonic()
        do(version)
        ended = time.monotonic()
    wrong = {found for _, found in watch.answers if not found.startswith("roll-")}
    if wrong:
        sys.exit(f"{way.stack}: answers of no version: {', '.join(sorted(wrong))}")
    return [ended - started, watch.changed(version) - started]


def measure(host: str, port: int, rounds: int, home: Path) -> Times:
    """Play all rounds; see `Times`."""
    stamp = f"{int(time.time()):x}"
    versions = [f"roll-{stamp}-{number}" for number in range(2 * rounds + 2)]
    prepare(host, home, versions)
    bare = Bare(host)
    ways: dict[str, Maestro | Bare] = {"maestro": Maestro(host, home), "bare commands": bare}
    found: Times = {}
    for way, version in zip(ways.values(), versions, strict=False):
        way.deploy(version)
    for number in range(rounds):
        for at, (name, way) in enumerate(ways.items()):
            old, new = versions[at], versions[2 + 2 * number + at]
            steps = {"deploy": (way.deploy, new), "rollback": (way.back, old)}
            for what, (do, version) in steps.items():
                took = timed(way, port, do, version)
                for of, seconds in zip(("command", "traffic"), took, strict=True):
                    found.setdefault((what, of, name), []).append(seconds)
        found.setdefault(("rollback", "traffic", "bare start"), []).append(bare.starts[-1])
    return found


def compare(found: Mapping[tuple[str, str, str], list[float]]) -> bool:
    """Print all medians and differences; whether every promise is kept."""
    for (what, of, name), times in found.items():
        median(f"{what}, {of}, {name}", times)
    kept = True
    for (what, of, other), most in PROMISED.items():
        key = (what, other, "maestro") if other == "traffic" else (what, of, other)
        pairs = zip(found[what, of, "maestro"], found[key], strict=True)
        more = statistics.median(ours - theirs for ours, theirs in pairs)
        kept &= more <= most
        say(f"{what}, {of}: {more:+.2f} s beside {other}, at most {most:+.1f} s are promised")
    return kept


def main() -> int:
    """Measure, print, and fail when a difference is larger than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--host", default="staging-1")
    options = parser.parse_args()
    settings = yaml.safe_load((PROJECT / ".lab/settings.yml").read_text(encoding="utf-8"))
    port = settings["ports"][options.host]["http"]
    with tempfile.TemporaryDirectory() as directory:
        try:
            found = measure(options.host, port, options.rounds, Path(directory))
        finally:
            clear(options.host)
    return 0 if compare(found) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Replacing one service start-first: a deploy against the bare commands that do the same.

Both replace a web service of their own on the same host, in turn, each time by a version the
host does not have yet. The bare commands are what a careful operator types: pull, start the new
container beside the old one, wait until it is healthy, switch the route file, wait until the edge
answers with the new version, stop the old container. Prints the medians and their difference;
the promise is at most 3 s. Needs the lab with its edge (`make demo`).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from runner import PLAYBOOK, PROJECT, median, run, say, ssh

ROUNDS = 5
LIMIT = 3.0  # seconds
HOST = "staging-1"
SOURCE = PROJECT / "tests" / "stacks" / "relay"
OURS, BARE = "roll-maestro", "roll-bare"
# What the bare commands are, each in a connection of its own that is kept open.
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


def model(stack: str) -> dict[str, Any]:
    """The web service of the stack relay, alone, behind the route ``STACK.test``."""
    found = yaml.safe_load((SOURCE / "compose.yaml").read_text(encoding="utf-8"))
    web = found["services"]["web"]
    for key in ("secrets", "configs", "depends_on", "networks"):
        del web[key]
    web["deploy"]["replicas"] = 1
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


def maestro(version: str, home: Path) -> None:
    """Deploy a version with Maestro."""
    said = {
        "maestro_stacks_dir": str(home),
        "maestro_secrets": {"source": "directory", "path": str(home / "secrets")},
    }
    words = ("-e", f"stack={OURS}", "-e", f"version={version}", "-e", json.dumps(said))
    run(PLAYBOOK, "deploy.yml", "-l", HOST, *words)


def bare(version: str) -> None:
    """Replace the container by the bare commands."""
    image = f"registry.test:5000/relay:{version}"
    old = containers()
    ssh(HOST, f"docker pull --quiet {image}")
    document = model(BARE)
    document["services"]["web"]["image"] = image
    del document["x-maestro"]
    del document["services"]["web"]["build"]
    ssh(HOST, f"cat > /opt/{BARE}/compose.yaml", yaml.safe_dump(document))
    ssh(HOST, UP if old else UP.replace("web=2", "web=1"))
    new = next(iter(containers() - old))
    ssh(HOST, HEALTHY.format(id=new))
    address = ssh(
        HOST,
        f"docker inspect --format '{{{{range .NetworkSettings.Networks}}}}"
        f"{{{{.IPAddress}}}}{{{{end}}}}' {new}",
    ).strip()
    route = f"/etc/maestro/edge/dynamic/{BARE}.yml"
    ssh(HOST, f"cat > {route}.new && mv {route}.new {route}", route_file(address))
    ssh(HOST, ANSWERS.format(version=version))
    if old:
        ssh(HOST, f"docker stop {' '.join(old)} && docker rm {' '.join(old)}")


def containers() -> set[str]:
    """The bare stack's containers."""
    listed = ssh(HOST, f"docker ps -aq --no-trunc --filter label=com.docker.compose.project={BARE}")
    return set(listed.split())


def route_file(address: str) -> str:
    """Traefik's configuration for the bare stack."""
    router = {"rule": f"Host(`{BARE}.test`)", "entryPoints": ["web"], "service": BARE}
    server = {"loadBalancer": {"servers": [{"url": f"http://{address}:8000"}]}}
    return yaml.safe_dump({"http": {"routers": {BARE: router}, "services": {BARE: server}}})


def prepare(home: Path, versions: list[str]) -> None:
    """Both stacks in their first version, images of all others in the registry."""
    text = yaml.safe_dump(model(OURS), sort_keys=False)
    (home / OURS).mkdir()
    (home / OURS / "compose.yaml").write_text(text, encoding="utf-8")
    secret = home / "secrets" / "staging" / "common" / "registry_password"
    secret.parent.mkdir(parents=True)
    secret.touch(0o600)
    secret.write_text((PROJECT / ".lab" / "registry_password").read_text(encoding="utf-8"))
    build(versions, home)
    for stack in (OURS, BARE):
        ssh(HOST, REMOVE.format(stack=stack))
    ssh(HOST, f"mkdir -p /opt/{BARE}")


def main() -> int:
    """Measure, print, and fail when the difference is larger than promised."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    stamp = f"{int(time.time()):x}"
    versions = [f"roll-{stamp}-{number}" for number in range(2 * (rounds + 1))]
    times: dict[str, list[float]] = {"maestro": [], "bare commands": []}
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        prepare(home, versions)
        try:
            for number in range(rounds + 1):
                for name, version in zip(times, versions[2 * number :], strict=False):
                    started = time.monotonic()
                    maestro(version, home) if name == "maestro" else bare(version)
                    if number:  # the first brings the stacks in
                        times[name].append(time.monotonic() - started)
        finally:
            for stack in (OURS, BARE):
                ssh(HOST, REMOVE.format(stack=stack))
    ours, bare_ones = (median(name, found) for name, found in times.items())
    more = ours - bare_ones
    say(f"difference: {more:.2f} s, at most {LIMIT:.0f} s are promised")
    return int(more > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

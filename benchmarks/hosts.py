"""What each further host costs the controller: a no-op for many names of few lab hosts.

All names stand for the same hosts, so the controller has the work of many, and the machine that of
few. Compared with a play of one task on the same names, in turn. Prints processor seconds of the
playbook with its children, the difference by host, and the largest memory of a process.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from runner import PLAYBOOK, PROJECT, median, run, say, ssh
from steps import model

STACK = "bench-hosts"
LIMIT = 0.10  # seconds of processor for each further host
ONE_TASK = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"


def spent(words: Sequence[str | Path]) -> float:
    """Processor seconds of a play, which must change nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(PLAYBOOK, *words, failed="changed=1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def inventory(file: Path, number: int, real: Sequence[str], secrets: Path) -> None:
    """Names for lab hosts, in turn."""
    names = {
        f"stand-in-{at}": {
            "ansible_host": real[at % len(real)],
            "ansible_user": "root",
            "ansible_ssh_common_args": f"-F {PROJECT / '.lab/ssh_config'}",
            "maestro_secrets": {"source": "directory", "path": str(secrets)},
        }
        for at in range(number)
    }
    file.write_text(yaml.safe_dump({"staging": {"hosts": names}}), encoding="utf-8")


def furnish(home: Path, image: str) -> None:
    """Write the stack, its secret and the one-task play that are measured."""
    secret = home / "secrets/staging/common/registry_password"
    secret.parent.mkdir(parents=True)
    secret.touch(0o600)
    secret.write_text((PROJECT / ".lab/registry_password").read_text(encoding="utf-8"))
    (home / STACK).mkdir()
    (home / STACK / "compose.yaml").write_text(model("v1", image), encoding="utf-8")
    (home / "one.yml").write_text(ONE_TASK, encoding="utf-8")


def main() -> int:
    """Measure, print, and fail when a further host costs more than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", default="staging-1", help="real ones, names with commas")
    parser.add_argument("--image", default="registry.test:5000/gallery:1")
    options = parser.parse_args()
    real = options.hosts.split(",")
    took: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        furnish(home, options.image)
        sizes = (len(real), options.number)
        for number in sizes:
            inventory(home / f"{number}.yml", number, real, home / "secrets")
        said = json.dumps({"stack": STACK, "version": "v1", "maestro_stacks_dir": str(home)})
        plays: dict[str, list[str | Path]] = {
            "one task": [home / "one.yml"],
            "nothing to do": ["deploy.yml", "-l", "staging", "-e", said],
        }
        try:
            run(PLAYBOOK, "-i", home / f"{len(real)}.yml", *plays["nothing to do"])
            for _ in range(options.rounds):
                for number in sizes:
                    for name, words in plays.items():
                        used = spent(["-i", home / f"{number}.yml", *words])
                        took.setdefault((name, number), []).append(used)
        finally:
            for host in real:
                ssh(
                    host,
                    f"docker ps -aq --filter label=com.docker.compose.project={STACK} | "
                    f"xargs -r docker rm -f; docker network rm {STACK}_default; "
                    f"rm -rf /opt/maestro/{STACK} /etc/maestro/edge/dynamic/stack-{STACK}.yml",
                )
    found = {key: median(f"{key[0]}, {key[1]} hosts", times) for key, times in took.items()}
    for name in plays:
        few, many = (found[name, number] for number in sizes)
        more = (many - few) / max(sizes[1] - sizes[0], 1)
        say(f"{name}: {more:.3f} s of processor for each further host")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"largest process: {most:.0f} MB; at most {LIMIT:.2f} s a host are promised")
    return int(more > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

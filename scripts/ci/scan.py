"""List the parts of images and scan them: IMAGE... or, with --gate, judge what was found before.

Writes NAME.spdx.json (the list of parts, by syft) and NAME.sarif (by the scanner) for each image,
and the sizes of all to .cache/ci/sizes.json. A finding that is critical ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRITICAL = 9.0  # https://nvd.nist.gov/vuln-metrics/cvss: critical is 9.0 to 10.0
SIZES = Path(".cache/ci/sizes.json")
# What a scanner is called with, and the exit codes with which it has done its work.
SCANNERS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "trivy": ("image --quiet --input {archive} --format sarif --output {sarif} {offline}", (0,)),
    "osv-scanner": (
        "scan image --archive {archive} --format sarif --output-file {sarif} {offline}",
        (0, 1),
    ),
}
OFFLINE = {
    "trivy": "--skip-db-update --skip-java-db-update --offline-scan --cache-dir {database}",
    "osv-scanner": "--offline --offline-vulnerabilities --local-db-path {database}",
}


class ScanError(Exception):
    """It could not be scanned, and why."""


@dataclass(frozen=True)
class Finding:
    """One result of a scan; ``severity`` is a CVSS score."""

    rule: str
    severity: float
    message: str

    @property
    def shown(self) -> str:
        """A line of it."""
        return f"{self.rule} ({self.severity:g}): {self.message.splitlines()[0][:160]}"


def findings(sarif: Mapping[str, Any]) -> Iterator[Finding]:
    """The results of a SARIF log, each with the score of its rule.

    https://docs.github.com/en/code-security/code-scanning: ``security-severity``
    """
    for run in sarif["runs"]:
        rules = {rule["id"]: rule for rule in run["tool"]["driver"].get("rules") or ()}
        for result in run.get("results") or ():
            rule = rules.get(result.get("ruleId"), {})
            said = (rule.get("properties") or {}).get("security-severity") or 0
            text = str((result.get("message") or {}).get("text") or "no message")
            yield Finding(str(result.get("ruleId")), float(said), text)


def gate(home: Path, logs: Sequence[Path]) -> int:
    """Name the critical findings of logs in ``home``; exit code 1 with any, 2 without a log."""
    if not logs:
        sys.stderr.write(f"scan: no SARIF in {home}\n  -> make scan IMG=NAME writes one\n")
        return 2
    critical = 0
    for log in logs:
        found = list(findings(json.loads(log.read_text(encoding="utf-8"))))
        grave = [each for each in found if each.severity >= CRITICAL]
        sys.stdout.write(f"{log.stem}: {len(found)} findings, {len(grave)} critical\n")
        for each in grave:
            sys.stdout.write(f"  {each.shown}\n")
        critical += len(grave)
    return 1 if critical else 0


def scan(options: argparse.Namespace, image: str) -> Path:
    """Write the two files of one image; the log of what was found."""
    base = options.to / re.sub(r"[^A-Za-z0-9_.-]+", "_", image)
    with tempfile.TemporaryDirectory(prefix="scan-") as home:
        archive = Path(home) / "image.tar"
        _saved(shlex.split(options.docker), image, archive)
        _run(
            [
                _tool("syft"),
                "scan",
                f"docker-archive:{archive}",
                "-q",
                "-o",
                f"spdx-json={base}.spdx.json",
            ]
        )
        words, fine = SCANNERS[options.scanner]
        offline = OFFLINE[options.scanner] if options.database else ""
        database = options.database
        if database and options.scanner == "osv-scanner":
            database = _osv_database(Path(database), Path(home))
        places = {
            "archive": str(archive),
            "sarif": f"{base}.sarif",
            "database": database,
        }
        filled = words.format(offline=offline, **{k: "{" + k + "}" for k in places})
        argv = [_tool(options.scanner), *(word.format(**places) for word in filled.split())]
        _tell_of_gaps(_run(argv, fine), image)
    return Path(places["sarif"])


def _saved(docker: list[str], image: str, archive: Path) -> None:
    """The image as `docker save` has it, and its size for the metrics."""
    inspect = [*docker, "image", "inspect", "--format", "'{{.Size}}'", image]
    said = subprocess.run(inspect, capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode != 0:
        raise ScanError(f"{image} is not here: {said.stderr.strip()}\n  -> docker pull {image}")
    sizes = json.loads(SIZES.read_text()) if SIZES.exists() else {}
    SIZES.parent.mkdir(parents=True, exist_ok=True)
    named = image.rpartition("/")[2].rpartition(":")[0] or image
    size = int(said.stdout.strip().strip("'"))
    SIZES.write_text(json.dumps({**sizes, named: size}, indent=1) + "\n")
    with archive.open("wb") as file:
        subprocess.run([*docker, "save", image], stdout=file, check=True)  # noqa: S603


def _osv_database(given: Path, home: Path) -> str:
    """A directory as osv-scanner wants it, where ECOSYSTEM/all.zip stands in it, or one below.

    The scanner itself is content without any: nothing is found then.
    """
    for place in (given / "osv-scalibr", given / "osv-scanner", given):
        if any(place.glob("*/all.zip")):
            (home / "osv-scalibr").symlink_to(place.resolve())
            return str(home)
    raise ScanError(
        f"{given} has no database: no ECOSYSTEM/all.zip\n"
        "  -> https://osv-vulnerabilities.storage.googleapis.com has them"
    )


def _tell_of_gaps(said: str, image: str) -> None:
    """Name the kinds of packages that the database does not know."""
    for kind in sorted(set(re.findall(r"could not load db for (\S+) ecosystem", said))):
        sys.stderr.write(f"scan: {image}: the database has nothing of {kind}: not compared\n")


def _tool(name: str) -> str:
    """The machine's own, or the one that is built here."""
    given = os.environ.get(f"{name.replace('-', '_').upper()}_PATH")
    if given:
        return given
    done = subprocess.run(  # noqa: S603 -- our script
        ["scripts/go-tool", name],  # noqa: S607 -- from the root of the project
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ScanError(f"{name} cannot be had, see above")
    return done.stdout.strip()


def _run(argv: list[str], fine: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(  # noqa: S603 -- an argument list, no shell
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode not in fine:
        raise ScanError(
            f"{Path(argv[0]).name} ended with {done.returncode}:\n{done.stdout[-2000:]}"
        )
    return done.stdout


def main() -> int:
    """Scan, then judge."""
    parser = argparse.ArgumentParser(prog="scan", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="*")
    parser.add_argument(
        "--gate", type=Path, help="judge the logs of this directory, and scan nothing"
    )
    parser.add_argument("--scanner", choices=sorted(SCANNERS), default="osv-scanner")
    parser.add_argument("--database", default="", help="directory of an offline database")
    parser.add_argument("--docker", default="docker", help="the command that has the images")
    parser.add_argument("--to", type=Path, default=Path(".cache/ci/scan"))
    options = parser.parse_args()
    if options.gate:
        return gate(options.gate, sorted(options.gate.rglob("*.sarif")))
    if not options.images:
        parser.error("name an image: make scan IMG=NAME")
    options.to.mkdir(parents=True, exist_ok=True)
    try:
        logs = [scan(options, image) for image in options.images]
    except ScanError as problem:
        sys.stderr.write(f"scan: {problem}\n")
        return 2
    return gate(options.to, logs)


if __name__ == "__main__":
    sys.exit(main())

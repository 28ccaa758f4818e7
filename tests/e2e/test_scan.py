"""`make scan` with real programs: the parts of an image, and a finding from a database of our own.

The programs are built from their modules for minutes, so this is part of the long runs alone.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from developing import docker
from e2e import lab

pytestmark = pytest.mark.long

PART, BAD, GOOD = "maestro-sample", "1.0", "2.0"
# https://ossf.github.io/osv-schema/: all versions before 2.0, as bad as it gets.
VULNERABILITY = {
    "schema_version": "1.7.0",
    "id": "PYSEC-2026-1",
    "published": "2026-01-01T00:00:00Z",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "Anybody may do anything",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": PART},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": GOOD}]}],
            "versions": [BAD],
        }
    ],
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What osv-scanner reads offline."""
    home = tmp_path_factory.mktemp("database")
    place = home / "PyPI/all.zip"
    place.parent.mkdir(parents=True)
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("PYSEC-2026-1.json", json.dumps(VULNERABILITY))
    return home


def image(name: str, version: str) -> None:
    """An image with one Python package, on this machine's own Engine."""
    content = f"Metadata-Version: 2.1\nName: {PART}\nVersion: {version}\n".encode()
    path = f"usr/lib/python3/dist-packages/{PART.replace('-', '_')}-{version}.dist-info/METADATA"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    argv = ["docker", "import", "-", name]
    subprocess.run(argv, input=packed.getvalue(), capture_output=True, check=True)


@pytest.fixture
def images() -> Iterator[dict[str, str]]:
    tag = secrets.token_hex(4)
    found = {version: f"registry.test/sample-{version}:{tag}" for version in (BAD, GOOD)}
    for version, name in found.items():
        image(name, version)
    yield found
    docker("image", "rm", *found.values())


def scan(name: str, database: Path) -> lab.Run:
    words = ("scan", f"IMG={name}", "SCANNER=osv-scanner", f"SCAN_DB={database}")
    return lab.run("make", *words, timeout=3600)


def written(kind: str, name: str) -> dict[str, Any]:
    """What the scan wrote of an image."""
    base = name.replace("/", "_").replace(":", "_")
    found: dict[str, Any] = json.loads(
        (lab.PROJECT / f".cache/ci/scan/{base}.{kind}.json").read_text()
        if kind == "spdx"
        else (lab.PROJECT / f".cache/ci/scan/{base}.{kind}").read_text()
    )
    return found


@pytest.mark.requirement("R3.5", "D36")
def test_a_known_critical_finding_fails_and_stands_in_the_log(
    images: dict[str, str], database: Path
) -> None:
    run = scan(images[BAD], database).failed("1 findings, 1 critical", "PYSEC-2026-1 (10)")
    log = written("sarif", images[BAD])
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["tool"]["driver"]["name"]
    assert log["runs"][0]["results"]
    parts = {part["name"] for part in written("spdx", images[BAD])["packages"]}
    assert PART in parts, run.out


@pytest.mark.requirement("R3.5")
def test_an_image_without_a_finding_passes(images: dict[str, str], database: Path) -> None:
    scan(images[GOOD], database).ok()
    log = written("sarif", images[GOOD])
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["tool"]["driver"]["name"]
    assert not log["runs"][0].get("results")


@pytest.mark.requirement("D36")
def test_the_workflow_scans_each_image_by_trivy_before_it_is_pushed() -> None:
    workflow = yaml.safe_load((lab.PROJECT / ".github/workflows/docker-build.yml").read_text())
    steps = workflow["jobs"]["images"]["steps"]
    (number,) = [n for n, step in enumerate(steps) if step.get("run") == ".ci/run scan"]
    assert steps[number]["env"]["SCANNER"] == "trivy"
    assert number < [step.get("run") for step in steps].index(".ci/run push")
    stages = (lab.PROJECT / ".ci/stages.mk").read_text()
    assert "$(SCAN) $$(scripts/ci/stack-images $(STACKS_DIR)/$(STACK))" in stages
    command = (lab.PROJECT / "scripts/ci/scan.py").read_text()
    assert "image --quiet --input {archive} --format sarif --output {sarif}" in command


def test_a_directory_without_a_database_is_said(
    images: dict[str, str], database: Path, tmp_path: Path
) -> None:
    """The scanner would find nothing, and pass."""
    scan(images[BAD], tmp_path).failed(f"{tmp_path} has no database")
    (tmp_path / "osv-scanner/npm").mkdir(parents=True)
    shutil.copy(database / "PyPI/all.zip", tmp_path / "osv-scanner/npm/all.zip")
    run = scan(images[BAD], tmp_path).ok()
    assert "the database has nothing of PyPI: not compared" in run.out


def test_an_image_that_is_not_here_is_said(database: Path) -> None:
    scan("registry.test/nothing:1", database).failed(
        "registry.test/nothing:1 is not here", "docker pull"
    )

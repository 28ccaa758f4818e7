"""What a clean-up removes from a project, and what it leaves, on a repository of its own."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from unit.local_play import ROOT, local_play

PLAY = ROOT / "playbooks" / "cleanup.yml"
SUBJECT = "chore: cleanup project for Docker production readiness"
WANTED = {
    "project_cleanup_files": ["FAZE_*.md", "DOCKER_*.md", "check_*.py", "debug_*.py"],
    "project_cleanup_directories": ["backups", "_ui_backup"],
    "project_cleanup_everywhere": ["node_modules", ".venv"],
    "project_cleanup_keep": ["docs", "README.md"],
    "project_cleanup_ignore": ["node_modules/", ".venv/", "backups/", ".env", "data/", "logs/"],
    "project_cleanup_subject": SUBJECT,
}
GONE = [
    ".venv/lib/x.py",
    "DOCKER_OLD.md",
    "FAZE_1.md",
    "_ui_backup/a.tsx",
    "backups/db.sql",
    "check_db.py",
    "debug_x.py",
    "ui/node_modules/react/index.js",
]
KEPT = [
    ".gitignore",
    "README.md",
    "app/check_health.py",
    "backups.txt",
    "docs/DOCKER_SETUP.md",
    "tests/debug_helper.py",
    "ui/src/App.tsx",
]
LARGE = 400_000  # bytes of each file that goes


def git(project: Path, *words: str) -> str:
    command = ["git", "-C", str(project), "-c", "user.name=A", "-c", "user.email=a@a.test", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def files(project: Path) -> list[str]:
    found = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".git")


def context(project: Path) -> int:
    """Bytes of what a build would be given."""
    archive = project.parent / "context.tar"
    with tarfile.open(archive, "w") as content:
        content.add(project, ".", filter=lambda entry: None if ".git/" in entry.name else entry)
    return archive.stat().st_size


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    outside = tmp_path / "outside" / "node_modules"
    outside.mkdir(parents=True)
    (outside / "theirs.js").write_text("x")
    for name in [*GONE, *KEPT]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * LARGE if name in GONE else f"{name}\n")
    (root / ".gitignore").write_text("*.pyc\n")
    (root / "node_modules").symlink_to(outside)
    git(tmp_path, "init", "--quiet", str(root))
    git(root, "config", "user.name", "A")
    git(root, "config", "user.email", "a@a.test")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "begin")
    return root


def clean(project: Path, *words: str, **more: object) -> str:
    extra = json.dumps({**WANTED, "project": str(project), **more})
    done = local_play(PLAY, "localhost", "-e", extra, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.requirement("G21.1", "G21.2", "G21.3", "G21.4", "G21.5", "G21.6", "G21.7")
def test_a_project_is_cleaned_up_and_committed_when_told(project: Path) -> None:
    before = files(project)
    for shown in (clean(project), clean(project, "--check", apply=True)):
        assert all(name.split("/")[0] in shown for name in GONE)
        assert files(project) == before
        assert git(project, "status", "--porcelain") == ""
    size = context(project)
    assert "failed=0" in clean(project, apply=True, commit=True)
    assert files(project) == sorted({*KEPT, ".dockerignore"})
    assert context(project) <= size * 0.29
    assert (project / "node_modules").is_symlink()
    assert (project.parent / "outside" / "node_modules" / "theirs.js").exists()
    assert git(project, "log", "-1", "--format=%s") == SUBJECT
    assert git(project, "status", "--porcelain") == ""
    for name in (".gitignore", ".dockerignore"):
        lines = (project / name).read_text().splitlines()
        assert all(lines.count(line) == 1 for line in WANTED["project_cleanup_ignore"])
    assert (project / ".gitignore").read_text().startswith("*.pyc\n")
    for name in ("node_modules/", ".venv/", "backups/", ".env", "data/", "logs/"):
        git(project, "check-ignore", f"x/{name}" if name != ".env" else name)
    assert "changed=0" in clean(project, apply=True, commit=True)
    assert git(project, "rev-list", "--count", "HEAD") == "2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        ("edit", {}, "there are changes that nobody committed"),
        ("", {"project_cleanup_keep": ["backups/db.sql"]}, "a directory around it would go"),
        ("", {"project": "nowhere"}, "no git repository's root"),
    ],
)
def test_what_is_refused_stays_whole(
    project: Path, change: str, more: dict[str, object], said: str
) -> None:
    if change:
        (project / "README.md").write_text("mine\n")
    before = files(project)
    extra = json.dumps({**WANTED, "project": str(project), "apply": True, **more})
    done = local_play(PLAY, "localhost", "-e", extra)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert files(project) == before

"""The docs are true: every command is run, every link leads somewhere."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
import yaml

import maestro.stack.files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TABLE = ROOT / "tests/doc_commands.yml"
SHELLS = ("sh", "bash", "console", "shell")
# What stands in a block and is no command.
OTHERS = ("text", "yaml", "ini", "json", "mermaid", "dockerfile", "diff", "http", "python")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it begins in."""

    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    pattern = re.compile(
        r"^(?P<fence>```+)[ \t]*(?P<lang>\S*)[^\n]*\n(?P<text>.*?)^(?P=fence)",
        re.MULTILINE | re.DOTALL,
    )
    return [
        Block(m["lang"], m["text"], text.count("\n", 0, m.start()) + 1)
        for m in pattern.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The commands of a shell block, a continued line or a here-document as one."""
    found: list[str] = []
    end = ""  # what ends the here-document that is open
    continued = False
    for line in block.text.splitlines():
        if end or continued:
            found[-1] += "\n" + line
        elif not line.strip() or line.lstrip().startswith("#"):
            continue
        else:
            found.append(line.strip())
        continued = not end and line.endswith("\\")
        if end and line.strip() == end:
            end = ""
        elif not end and (here := re.search(r"<<-?\s*['\"]?(\w+)", line)):
            end = here[1]
    return [re.sub(r"\s*\\\n\s*", " ", command) for command in found]


def all_commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [c for block in blocks(text) if block.language in SHELLS for c in commands(block)]


def table() -> dict[str, str]:
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def test_the_reader_of_blocks_reads_them() -> None:
    text = "```sh\n# no\na b \\\n  c\ncat <<'E' > f\nx # y\nE\n\nd\n```\n```text\ne\n```\n"
    first, second = blocks(text)
    assert (first.language, first.line, second.language) == ("sh", 1, "text")
    assert commands(first) == ["a b c", "cat <<'E' > f\nx # y\nE", "d"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        assert block.language in (*SHELLS, *OTHERS), f"{page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_run_by_a_test(page: Path) -> None:
    known = table()
    assert [command for command in all_commands(page) if command not in known] == []


def test_the_table_names_commands_that_exist_and_tests_that_exist() -> None:
    used = {command for page in PAGES for command in all_commands(page)}
    assert [command for command in table() if command not in used] == []
    wrong = [
        f"{command}: {where}"
        for command, where in table().items()
        if where not in ("here", "lab")
        and not (has_test(*where.split("::")) if "::" in where else holds(where, command))
    ]
    assert wrong == []


def holds(path: str, command: str) -> bool:
    """Look for the command in a script that a test or the run itself goes through."""
    return (ROOT / path).exists() and command in (ROOT / path).read_text()


def has_test(path: str, name: str) -> bool:
    """Look for a test function, in a class or not, without importing its module."""
    tree = ast.parse((ROOT / path).read_text()) if (ROOT / path).exists() else ast.parse("")
    name = re.sub(r"^.*::|\[.*$", "", name)
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


@pytest.fixture
def environ(project_copy: Path) -> dict[str, str]:
    """What a user of the pages has: a home, an editor, an age key, a new token."""
    home = project_copy.parent / "home"
    home.mkdir()
    identity = pyrage.x25519.Identity.generate()
    (home / "age.key").write_text(f"{identity}\n")
    editor = home / "editor"
    editor.write_text("#!/bin/sh\nprintf 'added_by_editor: x\\n' >> \"$1\"\n")
    editor.chmod(0o755)
    (project_copy / "new-token.txt").write_text("a new token\n")
    hello = project_copy / "docker/hello/compose.yaml"
    hello.parent.mkdir()
    page = (project_copy / "docs/add-a-stack.md").read_text()
    hello.write_text(next(block.text for block in blocks(page) if block.language == "yaml"))
    staging = project_copy / "secrets/staging"
    staging.mkdir(parents=True, mode=0o700)
    (staging / "jessy.sops.yml").write_text("db_password: in the clear\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAESTRO_", "SOPS_", "LAB_"))}
    return kept | {
        "HOME": str(home),
        "EDITOR": str(editor),
        "SOPS_AGE_KEY_FILE": str(home / "age.key"),
        "AGE_PUBLIC_KEY": str(identity.to_public()),
        "MAESTRO_SECRET_DB_PASSWORD": "from the environment",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work_in_their_order(
    page: Path, project_copy: Path, environ: dict[str, str]
) -> None:
    known = table()
    lines = [c for c in all_commands(page) if known.get(c) == "here"]
    if not lines:
        return
    # In one shell, so that `cd` and `export` last; each command is shown before it is run.
    script = "set -euo pipefail\n" + "".join(
        f"printf '$ %s\\n' {quoted(line)}\n{line}\n" for line in lines
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project_copy,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stack_that_the_docs_show_is_accepted(tmp_path: Path) -> None:
    """What a reader copies from the page is a stack that a deploy takes."""
    page = ROOT / "docs/add-a-stack.md"
    texts = [block.text for block in blocks(page.read_text()) if block.language == "yaml"]
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/compose.yaml").write_text(texts[0])
    (tmp_path / "hello/settings.json").write_text("{}")
    stack = maestro.stack.files.load(tmp_path, "hello", "staging", {})
    assert stack.secret_names == ["app_token"]
    assert set(stack.services) == {"redis", "migrate", "web"}
    schema = json.loads((ROOT / "src/maestro/stack/x-maestro.json").read_text())
    rows = prose(page)
    for key in schema["properties"]:
        assert f"`{key}" in rows, key
    for part in ("migrations", "routes", "smoke"):
        for key in schema["properties"][part]["items"]["properties"]:
            assert f"`{part}[].{key}`" in rows, key


@pytest.mark.requirement("T9.2")
def test_every_make_command_is_documented() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  ([a-z][a-z-]*) +\S", done.stdout, re.MULTILINE)
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if "| `make" in line]
    named = [name for row in rows for name in re.findall(r"`make ([a-z-]+)", row.split("|")[1])]
    assert sorted(named) == sorted(targets)


@pytest.mark.requirement("T9.3")
def test_troubleshooting_has_its_parts_and_each_issue_a_cause_and_a_command() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles == ["Common issues", "Debug commands", "Log analysis", "Performance"]
    rows = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    issues = [row.split(" | ") for row in rows if not row.startswith("symptom")]
    assert len(issues) > 20
    assert all(len(issue) == 3 and all(cell.strip() for cell in issue) for issue in issues)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "docs/contributing.md"])
def test_every_file_of_the_project_that_a_page_for_developers_names_is_there(page: str) -> None:
    named = re.findall(r"`([a-z0-9_.]+/[a-z0-9_./-]+)`", prose(ROOT / page))
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir()}
    ours = [path for path in named if path.split("/")[0] in rooms]
    assert ours
    assert [path for path in ours if not (ROOT / path).exists()] == []


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target

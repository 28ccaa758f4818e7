"""`maestro init`: the files that one's own repository needs beside its Compose file.

They are the user's from then on: nothing is overwritten, and an upgrade needs none of them changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..errors import MaestroError
from ..stack.files import BASE_FILES
from . import first_tags
from .requirements import requirements

TEMPLATES = Path(__file__).parent / "project"
STACKS = "stacks"  # where a Compose file at the root is linked, as a stack
PLACES = ("stacks", "docker", "deploy", "compose", ".")
# What a template becomes, in the order in which it is written.
FILES: Mapping[str, str] = {
    "ansible.cfg": "ansible.cfg",
    "deploy.yml": "deploy.yml",
    "hosts.yml": "inventories/hosts.yml",
    "all.yml": "inventories/group_vars/all.yml",
    "staging.yml": "inventories/group_vars/staging.yml",
    "production.yml": "inventories/group_vars/production.yml",
    "gitignore": ".gitignore",
}
CI: Mapping[str, Mapping[str, str]] = {"github": {"github.yml": ".github/workflows/deploy.yml"}}


@dataclass(frozen=True)
class Found:
    """The stack of a repository: its name, and the directory of stacks.

    ``linked`` says that the Compose file stands at the root, and is a stack by a link.
    """

    stack: str
    directory: str
    linked: bool = False
    others: list[str] = field(default_factory=list)
    moving: dict[str, str] = field(default_factory=dict)  # images without a version, by service


def find(root: Path) -> Found:
    """The Compose file that is there; `MaestroError` where there is none."""
    for name in BASE_FILES:
        if (root / name).is_file():
            moving = _moving(root / name)
            return Found(_name(root / name), STACKS, linked=True, moving=moving)
    for place in PLACES:
        there = sorted(
            {path.parent for base in BASE_FILES for path in (root / place).glob(f"*/{base}")}
        )
        homes = [path for path in there if not path.name.startswith(".")]
        if homes:
            first = next(homes[0] / base for base in BASE_FILES if (homes[0] / base).is_file())
            others = [path.name for path in homes[1:]]
            return Found(homes[0].name, place, others=others, moving=_moving(first))
    raise MaestroError(
        "there is no Compose file",
        where=str(root),
        fix=f"put one here ({', '.join(BASE_FILES)}), or into {STACKS}/NAME/",
    )


def _moving(path: Path) -> dict[str, str]:
    try:
        return first_tags.of_file(path.read_text(encoding="utf-8"), path.name)
    except (UnicodeDecodeError, OSError):
        return {}


def _name(path: Path) -> str:
    """The name of a stack at the root: that of its file, or of the directory."""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise MaestroError("cannot be read as YAML", where=path.name) from error
    given = read.get("name") if isinstance(read, dict) else None
    text = str(given) if given and "$" not in str(given) else path.resolve().parent.name
    name = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    if not name:
        raise MaestroError(f"{text!r} cannot name a stack", where=path.name, fix="add: name: shop")
    return name


def wanted(found: Found, *, ci: str = "") -> Iterator[tuple[str, str]]:
    """Each file, as its path and text."""
    for template, path in {**FILES, **(CI[ci] if ci else {})}.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        if template == "staging.yml":
            text += first_tags.exception(found.stack, found.moving)
        yield (
            path,
            text.replace("STACK_NAME", found.stack).replace("STACKS_DIRECTORY", found.directory),
        )
    yield "requirements.txt", requirements()


def write(root: Path, *, ci: str = "") -> list[str]:
    """Write what is not there; the lines that say what became of each file."""
    found = find(root)
    said = []
    for path, text in wanted(found, ci=ci):
        target = root / path
        if target.exists() or target.is_symlink():
            said.append(f"  kept     {path}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        said.append(f"  written  {path}")
    said += first_tags.said(found.moving)
    if found.linked:
        said.append(_link(root, found))
    return [f"stack {found.stack}", *said, *_next(found)]


def _link(root: Path, found: Found) -> str:
    """Let the root of the repository be the directory of its stack."""
    link = root / found.directory / found.stack
    path = f"{found.directory}/{found.stack}"
    if link.exists() or link.is_symlink():
        return f"  kept     {path}"
    link.parent.mkdir(exist_ok=True)
    os.symlink("..", link)
    return f"  written  {path} (a link to the root, where the Compose file stays)"


def _next(found: Found) -> list[str]:
    more = f" (others: {', '.join(found.others)})" if found.others else ""
    return [
        f"Next{more}:",
        "  1. name your machines in inventories/hosts.yml",
        "  2. ansible-playbook maestro.stacks.provision -l staging",
        "  3. ansible-playbook deploy.yml -l staging",
    ]


def compare(root: Path, *, ci: str = "") -> list[str]:
    """What this version would write otherwise: a line of its own for each that is not there."""
    said = []
    for path, text in wanted(find(root), ci=ci):
        target = root / path
        if not target.exists():
            said.append(f"{path}: it is not there")
            continue
        there = {line.strip() for line in target.read_text(encoding="utf-8").splitlines()}
        said += [
            f"{path}: + {line.rstrip()}"
            for line in text.splitlines()
            if line.strip() and not line.lstrip().startswith("#") and line.strip() not in there
        ]
    return said

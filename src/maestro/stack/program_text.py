"""Whether a path holds the source code of a program, or something that a program keeps there.

By the names of files alone. What is not known for source code counts as something else: leaving
out somebody's data would lose it.
"""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 1000  # files that are looked at
_CODE = frozenset(
    ".astro .c .cc .cjs .cpp .cs .cshtml .csproj .ex .exs .fs .go .gradle .groovy .h .hpp .hs "
    ".java .jl .js .jsx .kt .kts .lua .mjs .php .pl .pm .py .pyi .r .rb .rs .scala .svelte .swift "
    ".ts .tsx .twig .vb .vue .erb .ejs .phtml".split()
)
# What stands beside code, and no program writes.
_BESIDE = frozenset(
    ".css .scss .sass .less .htm .html .svg .ico .png .jpg .jpeg .gif .webp .woff .woff2 .ttf .md "
    ".rst .txt .map .snap .graphql .proto .lock .toml .j2 .tmpl .tpl .hbs .pug".split()
)
_NAMED = frozenset(
    "Dockerfile Makefile Gemfile Rakefile Procfile LICENSE go.mod go.sum package.json "
    "package-lock.json tsconfig.json tsconfig.node.json angular.json composer.json jsconfig.json "
    "manifest.json pom.xml requirements.txt setup.cfg artisan manage.py gradlew mvnw".split()
)
_MADE = frozenset(
    ("node_modules", "__pycache__", "vendor", "target", "dist", "build", "bin", "obj")
)


ALONE, AMONG = "alone", "among others"  # what `kind` says


def kind(path: Path) -> str:
    """Whether a file or directory is source code: alone, among other files, or not at all."""
    if path.is_file():
        return ALONE if _known(path.name) else ""
    files = _files(path)
    if files and all(map(_known, files)):
        return ALONE if any(_is(name) or name in _NAMED for name in files) else ""
    return AMONG if any(map(_is, files)) else ""


def _files(home: Path) -> list[str]:
    found: list[str] = []
    for _, directories, files in os.walk(home):
        directories[:] = [
            name for name in directories if not name.startswith(".") and name not in _MADE
        ]
        found += [name for name in files if not name.startswith(".")]
        if len(found) >= _MOST:
            break
    return found


def _is(name: str) -> bool:
    return Path(name).suffix.lower() in _CODE


def _known(name: str) -> bool:
    return _is(name) or name in _NAMED or Path(name).suffix.lower() in _BESIDE

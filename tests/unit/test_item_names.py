"""Names and numbers that no Compose takes, refused before a host is asked."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.stack import files


def load(directory: Path, text: str) -> files.Stack:
    home = directory / "shop"
    home.mkdir()
    (home / "compose.yaml").write_text(text)
    return files.load(directory, "shop", "staging", {}, version="v1")


WRONG = [
    (
        f'services: {{{"w" * 129}: {{image: "r.test/a:1"}}}}',
        f"services.{'w' * 20}...: a name has 129 characters, more than 128",
    ),
    ('services: {"wéb": {image: "r.test/a:1"}}', r"services: 'w\xe9b' cannot name one of services"),
    ('services: {"w\\u202eb": {image: "r.test/a:1"}}', r"services: 'w\u202eb' cannot name one"),
    ('services: {"a\\nb": {image: "r.test/a:1"}}', r"services: 'a\nb' cannot name one of services"),
    ('services: {"a b": {image: "r.test/a:1"}}', "services: 'a b' cannot name one of services"),
    (
        'services: {web: {image: "r.test/a:1"}}\nvolumes: {"da/ta": {}}',
        "volumes: 'da/ta' cannot name one of volumes",
    ),
    (
        'services: {web: {image: "r.test/a:1"}}\nnetworks: {"täg": {}}',
        r"networks: 't\xe4g' cannot name one of networks",
    ),
    (
        'services: {web: {image: "r.test/a:1", cpus: .inf}}',
        "services.web.cpus: found an infinite number or NaN",
    ),
    (
        'services: {web: {image: "r.test/a:1", environment: [{A: .nan}]}}',
        "services.web.environment[0].A: found an infinite number or NaN",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_no_compose_takes_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MaestroError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_what_compose_takes_is_taken(tmp_path: Path) -> None:
    text = """
services:
  Web_1.x-y: {image: "r.test/a:1", environment: {A: ".inf", B: 1e3}}
x-any: {"ä b": .inf}
"""
    assert load(tmp_path, text).files


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        ("routes: [{service: web, port: 80, sticky: null}]", "sticky: found None"),
        ("watchdog: {web: often}", "x-maestro.watchdog: found"),
    ],
)
def test_a_key_of_several_kinds_says_which(tmp_path: Path, extension: str, said: str) -> None:
    text = f'services: {{web: {{image: "r.test/a:1"}}}}\nx-maestro: {{{extension}}}\n'
    with pytest.raises(MaestroError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert "-> allowed: true" in str(caught.value)


LONG = "v" * 300


@pytest.mark.parametrize(
    "service",
    [
        f'volumes: ["{LONG}:/data"]',
        f'volumes: ["./{LONG}:/data:ro"]',
        f'env_file: ["./{LONG}"]',
        f'configs: ["{LONG}"]',
        f'extends: {{file: "{LONG}.yaml", service: web}}',
        f'build: {{context: "{LONG}"}}',
        f'label_file: ["{LONG}"]',
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_no_traceback(tmp_path: Path, service: str) -> None:
    text = f"""
services: {{web: {{image: "r.test/a:1", {service}}}}}
volumes: {{{LONG}: {{}}}}
configs: {{{LONG}: {{file: "./{LONG}"}}}}
"""
    with contextlib.suppress(MaestroError):
        load(tmp_path, text)

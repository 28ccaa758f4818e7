"""Dates without quotes in a stack's file: no Compose passes them on as they were written."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.stack import compose_yaml, files

DATES = (
    *("2024-01-01", "2024-1-2", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00"),
    "2001-12-14t2:9:3.5+01:00",
)
TEXT = (
    *("2024-01", "24-01-01", "2024-01-01-rc1", "2024.01.01", "1:30", "20240101"),
    *("2024-01-01T10:00", "2024-01-01T10:00:00", "2024-13-45"),
)


def load(tmp_path: Path, text: str) -> files.Stack:
    home = tmp_path / "shop"
    home.mkdir()
    (home / "compose.yaml").write_text(textwrap.dedent(text))
    return files.load(tmp_path, "shop", "staging", {}, version="v1")


@pytest.mark.parametrize("value", DATES)
def test_a_date_without_quotes_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    with pytest.raises(MaestroError) as caught:
        load(
            tmp_path,
            f"""
            x-env: &env {{SINCE: {value}}}
            services:
              web:
                image: registry.test:5000/web:v1
                environment: *env
                command: [serve, {value}]
                x-note: {value}
            """,
        )
    found = str(caught.value)
    for place in ("services.web.environment.SINCE", "services.web.command[1]"):
        assert f"shop/compose.yaml: {place}: found the date {value}" in found
    assert f'put it into quotes: "{value}"' in found
    assert "x-note" not in found


def test_a_date_of_a_service_that_is_extended_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/base.yaml").write_text(
        "services: {base: {environment: {SINCE: 2024-01-01}}, other: {labels: {a: 2024-01-02}}}\n"
    )
    (tmp_path / "shop/compose.yaml").write_text(
        "services: {web: {image: 'web:1', extends: {file: base.yaml, service: base}}}\n"
    )
    with pytest.raises(MaestroError) as caught:
        files.load(tmp_path, "shop", "staging", {}, version="v1")
    place = "shop/base.yaml: services.base.environment.SINCE"
    assert f"{place}: found the date 2024-01-01" in str(caught.value)
    assert "2024-01-02" not in str(caught.value)


@pytest.mark.parametrize("value", [*TEXT, *(f'"{date}"' for date in DATES), "SINCE=2024-01-01"])
def test_what_is_text_for_compose_stays(tmp_path: Path, value: str) -> None:
    loaded = load(
        tmp_path,
        f"""
        x-date: 2024-01-01
        services:
          web:
            image: registry.test:5000/web:v1
            command: ["-d", {value}]
        """,
    )
    assert loaded.services["web"]["command"][1] is not None


def test_a_date_is_the_text_it_was() -> None:
    assert compose_yaml.parse("since: 2024-01-01", "f") == {"since": "2024-01-01"}

"""Services that are built and whose image has no name in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from maestro.host import compose, state
from maestro.host.files import File
from maestro.stack.files import BASE_FILES

VARIABLES = {"REGISTRY": "registry.test:5000", "VERSION": "v7"}


@pytest.mark.parametrize(
    ("name", "service", "image"),
    [
        ("web", {"build": {"context": "."}}, "registry.test:5000/shop-web:v7"),
        ("Web", {"build": {"context": "."}}, "registry.test:5000/shop-web:v7"),
        ("web", {"build": {"context": "."}, "image": ""}, "registry.test:5000/shop-web:v7"),
        ("web", {"build": {"context": "."}, "image": "r.test/mine:1"}, "r.test/mine:1"),
        ("web", {"image": "redis:8.2"}, "redis:8.2"),
    ],
)
def test_what_is_built_has_an_image(
    name: str,
    service: dict[str, Any],
    image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = tmp_path / "docker-compose"
    plugin.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'services': {name: service}})}\nEND\n")
    plugin.chmod(0o755)
    monkeypatch.setattr(compose, "PLUGINS", (tmp_path,))
    content = {"compose.yaml": File(b"services: {}\n").as_json()}
    request = state.Request(
        "shop", str(tmp_path), content, ["compose.yaml"], "v7", VARIABLES, resolve=False
    )
    model, problem = state._model(request, VARIABLES)
    assert (model["services"][name]["image"], problem) == (image, "")


def test_what_is_built_is_read_from_the_file_that_is_deployed() -> None:
    role = Path(__file__).parents[2] / "roles/images/vars/main.yml"
    assert tuple(yaml.safe_load(role.read_text())["__images_base_files"]) == BASE_FILES

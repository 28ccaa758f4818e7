"""Source code that is mounted over what an image is built from, and what only looks like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.plan import deploy
from maestro.plan.wanted import Inputs
from maestro.stack import built_source, files, program_text


def bind(source: str, target: str, **keys: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, **keys}


def unnamed(target: str) -> dict[str, Any]:
    return {"type": "volume", "target": target, "volume": {}}


NAMED = {"type": "volume", "source": "data", "target": "/data", "volume": {}}
CODE = {
    ".": "among others",
    "web": "among others",
    "web/src": "alone",
    "web/package.json": "alone",
    "web/plugins": "among others",
    "lib": "alone",
}


@pytest.mark.parametrize(
    ("context", "mounts", "kept"),
    [
        ("./web", [bind("./web", "/app"), unnamed("/app/node_modules"), NAMED], [NAMED]),
        ("./web", [bind("./web/src", "/app/src"), unnamed("/app/node_modules")], []),
        ("./web", [bind("./web/package.json", "/app/package.json")], []),
        (".", [bind(".", "/code")], []),
        ("./web", [bind(".", "/code")], []),
        (".", [bind("./web/src", "/src"), unnamed("/data")], [unnamed("/data")]),
    ],
)
def test_source_code_is_the_image_s_own(context: str, mounts: list[Any], kept: list[Any]) -> None:
    model = {"services": {"web": {"build": {"context": context}, "volumes": mounts}}}
    found, said = built_source.left_out(model, CODE)
    assert found["services"]["web"]["volumes"] == kept
    assert len(said) == 1
    assert mounts[0]["target"] in said[0]
    assert "compose.development.yaml" in said[0]
    assert model["services"]["web"]["volumes"] == mounts


@pytest.mark.parametrize(
    "service",
    [
        {"image": "nginx:1", "volumes": [bind("./web", "/app")]},
        {"build": {"context": "./web"}, "volumes": [bind("./lib", "/lib")]},
        {"build": {"context": "./web"}, "volumes": [bind("./web/plugins", "/app/plugins")]},
        {"build": {"context": "./web"}, "volumes": [bind("./web/uploads", "/app/uploads")]},
        {"build": {"context": "./web"}, "volumes": [bind("./web", "/app", read_only=True)]},
        {"build": {"context": "./web"}, "volumes": [bind("/srv/web", "/app"), NAMED]},
        {"build": {"context": "https://x.test/a.git"}, "volumes": [bind("./web", "/app")]},
        {"build": {"context": "./data"}, "volumes": [bind("./data", "/var/lib/data")]},
    ],
)
def test_anything_else_stays(service: dict[str, Any]) -> None:
    model = {"services": {"web": service}}
    assert built_source.left_out(model, CODE) == (model, [])


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["index.js", "style.css", "deep/a.ts", ".gitkeep"], "alone"),
        (["Dockerfile"], "alone"),
        (["app.py", "seed.sql"], "among others"),
        (["app.py", "shop.sqlite3"], "among others"),
        (["init.sql", "Dockerfile"], ""),
        (["a.css"], ""),
        ([], ""),
        (["main.go", "node_modules/x.bin", ".git/config"], "alone"),
    ],
)
def test_what_a_directory_holds(tmp_path: Path, names: list[str], kind: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert program_text.kind(tmp_path) == kind


def test_a_plan_says_it_and_development_mounts_it(tmp_path: Path) -> None:
    home = tmp_path / "shop"
    (home / "web/src").mkdir(parents=True)
    (home / "web/src/index.js").touch()
    (home / "compose.yaml").write_text(
        "services:\n  web:\n    build: web\n    volumes: ['./web/src:/app/src']\n"
    )
    read = files.load(tmp_path, "shop", "staging", {})
    assert read.code == {"web/src": "alone"}
    model = models.shop()
    model["services"]["web"] |= {
        "build": {"context": "./web"},
        "volumes": [bind("./web/src", "/app/src", bind={"create_host_path": True})],
    }
    state = {**models.bare(), "model": model, "resolved": models.images(model)}
    asked = {**models.REQUEST, "code": read.code}
    decided = deploy.decide(Inputs(asked, {"a": state}, "a", "/opt/maestro", run=models.run()))
    (plan,) = decided.plans
    assert any("./web/src is source code" in text for text in plan.warnings)
    with pytest.raises(MaestroError, match="can be written"):
        deploy.decide(
            Inputs({**asked, "code": {}}, {"a": state}, "a", "/opt/maestro", run=models.run())
        )

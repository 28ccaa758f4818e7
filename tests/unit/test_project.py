"""A project's own name against the name of its stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.stack import files as stack

SERVICES = "services: {web: {image: 'r.test/web:1'}}\n"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"compose.yaml": ""}, ""),
        ({"compose.yaml": "name: shop\n"}, ""),
        ({"compose.yaml": "name: ''\n"}, ""),
        ({"compose.yaml": "name: ${PROJECT:-}\n"}, ""),
        ({"compose.yaml": "name: ${PROJECT:-shop}\n"}, ""),
        ({"compose.yaml": "name: ${COMPOSE_PROJECT_NAME}\n"}, ""),
        ({"compose.yaml": "name: ${GIVEN}\n"}, "given"),
        ({"compose.yaml": "name: legacy\n"}, "legacy"),
        ({"compose.yaml": "name: $GIVEN-1\n"}, "given-1"),
        ({"compose.yaml": "name: ${PROJECT:-legacy}\n"}, "legacy"),
        # A later file's counts.
        ({"compose.yaml": "name: legacy\n", "compose.staging.yaml": "name: shop\n"}, ""),
        ({"compose.yaml": "name: shop\n", "compose.staging.yaml": "name: x\n"}, "x"),
        # An included file's is its own affair: Compose does not read it.
        ({"compose.yaml": "include: [more.yaml]\n", "more.yaml": "name: other\n"}, ""),
    ],
)
def test_the_name_in_the_file_is_the_stacks(
    tmp_path: Path, files: dict[str, str], name: str
) -> None:
    (tmp_path / "shop").mkdir()
    for file, text in files.items():
        services = SERVICES if file != "more.yaml" else SERVICES.replace("web:", "other:", 1)
        (tmp_path / "shop" / file).write_text(text + services)
    given = {"GIVEN": "given", "REGISTRY": "r.test"}
    if not name:
        stack.load(tmp_path, "shop", "staging", given)
        return
    with pytest.raises(MaestroError) as refused:
        stack.load(tmp_path, "shop", "staging", given)
    last = list(files)[-1]
    assert refused.value.where == f"shop/{last}: name"
    assert f"calls the project {name}, and the stack is shop" in refused.value.what
    assert f"-e stack={name}" in refused.value.fix
    assert "`name: shop`" in refused.value.fix


def test_a_name_that_cannot_be_known(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").write_text("name: shop-$VERSION\n" + SERVICES)
    with pytest.raises(MaestroError, match="has no value here"):
        stack.load(tmp_path, "shop", "staging", {})


def test_a_name_no_project_can_have_is_none_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").write_text("name: Shop\n" + SERVICES)
    with pytest.raises(MaestroError, match="calls the project Shop") as refused:
        stack.load(tmp_path, "shop", "staging", {})
    assert refused.value.fix.startswith("write `name: shop`, or remove it")
    assert "-e stack" not in refused.value.fix

"""No name leads elsewhere: refused on the controller, and by a host that is asked all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import naming, secrets, state, steps
from maestro.host.layout import Layout
from maestro.host.reference import Reference
from maestro.stack import extension as stack_extension

ELSEWHERE = [
    "../../etc",
    "..",
    ".",
    "a/b",
    "/etc",
    "shop\n",
    "shop\0",
    "-shop",
    ".shop",
    "a b",
    "ü",
]


@pytest.mark.parametrize("name", [*ELSEWHERE, "Shop"])
def test_a_stack_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaestroError, match="cannot name a stack"):
        _ = Layout(tmp_path, name).home
    with pytest.raises(MaestroError, match=r"-e stack: .* cannot name a stack"):
        naming.stack(name)


@pytest.mark.parametrize("step", sorted(steps.STEPS))
def test_no_step_works_for_it(tmp_path: Path, step: str) -> None:
    root = tmp_path / "root"
    for params in ({"stack": "../outside"}, {"request": {"stack": "../outside"}}):
        answer = steps.take(step, {"root": str(root), "lease": "x", "payload": "", **params})
        assert answer["failed"]
        assert "cannot name a stack" in answer["msg"]
    assert not (tmp_path / "outside").exists()
    assert not root.exists()


@pytest.mark.parametrize("name", [*ELSEWHERE, ""])
def test_a_release_or_a_secret_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path, "shop")
    with pytest.raises(MaestroError, match="cannot name a release"):
        layout.release(name)
    for item in ({"name": name, "version": "v"}, {"name": "n", "version": name}):
        with pytest.raises(MaestroError, match="cannot name a"):
            secrets.write(layout, [{**item, "uid": 0}], {name: "x", "n": "x"})
    assert list(tmp_path.rglob("*")) == []


def test_names_that_are_in_use() -> None:
    for name in ("20260101T120000Z-1f2e", "db_password", "API.key", "smtp-password", "_x", "r1"):
        assert naming.part(name, "a secret") == name


def test_a_stack_s_directory_is_closed_to_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root", "shop")
    for _ in range(2):
        layout.make_home()
        assert layout.home.stat().st_mode & 0o777 == 0o750
        layout.home.chmod(0o755)  # as an earlier version left it


@pytest.mark.parametrize(
    "text",
    [
        *("r.test/../x:1", "r.test/a/../../v2/x:1", "r.test/a:1\n", "../x:1", "r.test/A:1"),
        *(
            "r.test/a:../b",
            "r.test/a@sha256:../x",
            "r.test/a@sha256:ab",
            "r.test//a:1",
            "..:80/a:1",
        ),
        *("", "r.test/a b:1", "r.test/a?x=:1", "r.test/a#b:1", "r.test/%2e%2e/a:1", "-r.test/a:1"),
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(MaestroError, match="not an image reference"):
        Reference.checked(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "redis",
            "redis:7",
            "grafana/grafana:11",
            "localhost/a:v1",
            "r.test:5000/a/b_c/d__e:v.1-x",
        ),
        *("ghcr.io/a/b@sha256:" + "ab" * 32, "[::1]:5000/a:1", "10.0.0.1:5000/a--b.c:1"),
    ],
)
def test_what_is_one(text: str) -> None:
    assert Reference.checked(text) == Reference.parse(text)


def test_a_wrong_reference_is_refused_by_its_name_and_asked_nowhere() -> None:
    asked = state.Request("shop", "/r", {}, [], "v1", {}, resolve=True)
    model = {"services": {"web": {"image": "r.test/../x:1"}}}
    resolved, refused = state._resolve(asked, model, {}, {})
    assert resolved == {}
    assert "r.test/../x:1: this is not an image reference" in refused["r.test/../x:1"]


# What is sent in a request


def problems(**http: Any) -> list[str]:
    extension = {"smoke": [{"http": {"port": 80, "path": "/", **http}}]}
    found = stack_extension.extension_problems(
        extension, "shop/compose.yaml: x-maestro", ["web"], filled=True
    )
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    "http",
    [
        {"headers": {"X-A": "1\r\nX-B: 2"}},
        {"headers": {"X-A": "1\n"}},
        {"headers": {"X-A": "\u20ac"}},
        {"headers": {"X-A\r\n": "1"}},
        {"headers": {"X A": "1"}},
        {"headers": {"": "1"}},
        {"path": "/a\r\nHost: x"},
        {"path": "/\n"},
        {"path": "/a b"},
        {"path": "/ü"},
        {"path": "a"},
        {"edge": True, "host": "api.example.org\n"},
    ],
)
def test_what_would_break_a_request_is_refused_in_the_plan(http: dict[str, Any]) -> None:
    (found, *_) = problems(**http)
    assert found.startswith("shop/compose.yaml: x-maestro.smoke[0].http")


def test_what_a_request_may_hold() -> None:
    assert problems(headers={"Host": "a", "X-Tab": "a\tb", "X-É".replace("É", "E"): "é"}) == []
    assert problems(path="/a%20b?c=d&e=(1)#f") == []

"""Maestro's own messages name secrets; the redaction shows these names and hides what a user types."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.play import output
from maestro.redaction import Redactor
from maestro.secrets import renewal, sources

SOURCE = Path(__file__).resolve().parents[2] / "src/maestro"
NAMES = ["db_password", "api_token", "app_dsn", "smtp_login", "session_key", "jwt", "hunter2"]
VALUES = {name: f"v-{number}-Tr0ub4dor&3" for number, name in enumerate(NAMES)}
KNOWN = Redactor(VALUES)
UNKNOWN = Redactor()


def _texts(node: ast.AST | None, name: str) -> str:
    """Return the text of a string in the code, with a secret's name for what is put into it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_texts(part, name) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        # The sign of the plural and a list of commands are no names.
        others = {"several": "s", "ways": f"\n     maestro secrets set {name}"}
        if isinstance(node.value, ast.IfExp):
            return _texts(node.value.body, name)
        return others.get(getattr(node.value, "id", ""), name)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _texts(node.left, name) + _texts(node.right, name)
    return name if node is not None else ""


@cache
def _nodes() -> list[tuple[str, ast.AST]]:
    """Return the errors and the texts of the code that speak of secrets, and where they stand."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "redaction" in path.parts:
            continue
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if "secret" in source else ():
            error = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MaestroError"
            if (error or isinstance(node, ast.JoinedStr)) and "secret" in ast.unparse(node):
                found.append((f"{path.relative_to(SOURCE)}:{node.lineno}", node))
    return found


def _messages(name: str) -> Iterator[tuple[str, str]]:
    """Yield every message of the code that speaks of secrets: where it stands, and its text."""
    for where, node in _nodes():
        if isinstance(node, ast.Call):
            words = {word.arg: word.value for word in node.keywords}
            what = _texts(node.args[0] if node.args else words.get("what"), name)
            place, fix = _texts(words.get("where"), name), _texts(words.get("fix"), name)
            yield where, str(MaestroError(what, where=place, fix=fix))
        else:
            yield where, _texts(node, name)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_of_the_code_shows_the_name(name: str) -> None:
    found = [(where, text) for where, text in _messages(name) if "secret" in text and name in text]
    assert len(found) > 15, "the messages are looked for in the wrong place"
    for where, text in found:
        for shown in (text, json.dumps(text), json.dumps({"msg": text}, indent=4)):
            assert KNOWN.text(shown) == shown, where
    assert any("-e secret=" in text for _, text in found)


@pytest.mark.parametrize("name", ["db_password", "api_token", "session_key"])
def test_a_name_that_says_what_it_is_needs_no_value_to_be_shown(name: str) -> None:
    for where, text in _messages(name):
        if "secret" in text and name in text:
            assert UNKNOWN.text(text) == text, where


def _place(tmp_path: Path) -> dict[str, object]:
    return {"environment": "staging", "stack": "shop", "root": tmp_path}


class _Loader:
    def get_text_file_contents(self, file_name: str) -> str:
        raise AssertionError(file_name)


@pytest.mark.parametrize("source", sources.SOURCES)
def test_a_missing_secret_is_named(source: str, tmp_path: Path) -> None:
    opened = sources.open_source(
        {"source": source, **({"command": "false {name}"} if source == "command" else {})},
        **_place(tmp_path),
        loader=_Loader(),
        environ={},  # type: ignore[arg-type]
    )
    for names in (["app_dsn"], ["db_password"], ["app_dsn", "db_password", "smtp_login"]):
        with pytest.raises(MaestroError) as caught:
            opened.read(names)
        text = str(caught.value)
        assert all(name in text for name in names)
        for shown in (
            text,
            json.dumps({"msg": text}),
            f"fatal: [h]: FAILED! => {json.dumps(text)}",
        ):
            assert output.hide(shown) == shown
            assert UNKNOWN.text(shown) == shown


def test_what_a_rotation_says_is_shown_whole() -> None:
    own = dict.fromkeys(NAMES, "made by hand")
    said = renewal.choose([], NAMES, own, "secrets/staging/shop.yml").notes
    assert len(said) == len(NAMES)
    for text in said:
        assert KNOWN.text(text) == text
    with pytest.raises(MaestroError) as caught:
        renewal.choose(["app_dns"], NAMES, own, "secrets/staging/shop.yml")
    assert KNOWN.text(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "-e secret=⟦hunter3⟧",
        "secret=⟦hunter2x⟧",
        "secret: ⟦Xy7-kk-Q2w9⟧",
        "docker run -e secret=⟦hunter3⟧ app",
        '{"secret": "⟦letmein⟧"}',
        "a new secret: ⟦letmein1⟧",
    ],
)
def test_a_value_that_is_no_name_stays_masked(text: str) -> None:
    before = text.replace("⟦", "").replace("⟧", "")
    after = text.split("⟦", 1)[0] + "***" + text.split("⟧", 1)[1]
    assert KNOWN.text(before) == UNKNOWN.text(before) == after


def test_a_value_that_is_also_a_name_is_masked() -> None:
    assert Redactor({"a": "db_secret_1", "db_secret_1": "x-1-y"}).text("secret=db_secret_1") == (
        "secret=***"
    )

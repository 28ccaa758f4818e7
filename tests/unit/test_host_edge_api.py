"""Who may ask the API of a host's edge: the files that say so."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

from maestro.host import edge_api


def contents(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_token_is_made_once(tmp_path: Path) -> None:
    assert edge_api.headers(tmp_path) == {}, "an edge of before asks for nothing"
    assert len(edge_api.configure(tmp_path, check=True)) == 2
    assert contents(tmp_path) == {}
    assert len(edge_api.configure(tmp_path)) == 2
    first = contents(tmp_path)
    assert edge_api.configure(tmp_path) == []
    assert contents(tmp_path) == first
    assert stat.S_IMODE(edge_api.token_file(tmp_path).stat().st_mode) == 0o400
    token = first["api-token"].strip()
    assert len(token) > 40
    assert token not in first["dynamic/edge-api.yml"]
    assert users(tmp_path, "api") == users(tmp_path, "metrics")
    shown = edge_api.headers(tmp_path)["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(shown).decode() == f"maestro:{token}"


def users(directory: Path, name: str) -> list[str]:
    found = json.loads(edge_api.users_file(directory).read_text())["http"]["middlewares"]
    said = found[f"maestro-{name}"]["basicAuth"]
    assert said["removeHeader"]
    return list(said["users"])


def test_the_password_of_the_metrics_opens_them_alone(tmp_path: Path) -> None:
    edge_api.configure(tmp_path)
    file = edge_api.users_file(tmp_path)
    assert edge_api.configure(tmp_path, "test") == [file]
    # As `htpasswd -nbs metrics test` says.
    line = "metrics:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
    assert users(tmp_path, "metrics") == [*users(tmp_path, "api"), line]
    assert edge_api.configure(tmp_path, "test") == []
    assert edge_api.configure(tmp_path) == [file]
    assert users(tmp_path, "metrics") == users(tmp_path, "api")


def test_a_token_that_others_could_read_is_closed(tmp_path: Path) -> None:
    edge_api.configure(tmp_path)
    file = edge_api.token_file(tmp_path)
    token = file.read_text()
    file.chmod(0o644)
    assert edge_api.configure(tmp_path) == [file]
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (token, 0o400)


def test_another_token_is_another_file_of_users(tmp_path: Path) -> None:
    edge_api.configure(tmp_path, "test")
    before = contents(tmp_path)
    edge_api.token_file(tmp_path).unlink()
    assert len(edge_api.configure(tmp_path, "test")) == 2
    assert all(text != before[name] for name, text in contents(tmp_path).items())

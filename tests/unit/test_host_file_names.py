"""Files of a release: what gives them their names, and those of earlier releases."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import files
from maestro.host.files import File
from maestro.host.secret_files import SecretFile, is_file
from maestro.stack import file_access


def test_a_usual_file_is_named_by_its_content_alone() -> None:
    """As an earlier version of Maestro named all of them: nothing is replaced for it."""
    assert File(b"x").digest == hashlib.sha256(b"x").hexdigest()[:16]
    names = {
        File(b"x", mode, uid, gid).digest
        for mode, uid, gid in ((0o644, 0, 0), (0o755, 0, 0), (0o644, 1, 0), (0o644, 0, 1))
    }
    assert len(names) == 4


def test_digests_of_this_and_of_an_earlier_manifest() -> None:
    assert files.digests({"a": "d1", "b": ["d2", "d3"]}) == {("a", "d1"), ("b", "d2"), ("b", "d3")}


def test_a_file_travels_as_it_is() -> None:
    file = File(bytes(range(256)), 0o750, 5, 6)
    assert File.from_json(file.as_json()) == file
    with pytest.raises(MaestroError, match="damaged"):
        File.from_json({"base64": "ä"})


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ""])
def test_no_request_writes_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaestroError):
        files.unpack(tmp_path / "in", {name: File(b"x").as_json()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0"])
def test_no_name_is_a_path(name: str) -> None:
    with pytest.raises(MaestroError):
        files.checked_name(name)


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        (SecretFile("s", "r1", 5), "5"),
        (SecretFile("s", "r1", 5, gid=5, mode=0o400), "5"),
        (SecretFile("s", "r1", 5, gid=6), "5.6.0400"),
        (SecretFile("s", "r1", 5, mode=0o440), "5.5.0440"),
    ],
)
def test_a_secret_s_file_says_whose_it_is(file: SecretFile, owner: str) -> None:
    assert file.owner == owner
    assert is_file(owner)
    assert SecretFile.at(f"/opt/maestro/shop/secrets/{file.path}").owner == owner
    assert SecretFile.from_json(file.as_json()).owner == owner


@pytest.mark.parametrize("name", [".5.new", "5.new", "x", "5.6", "5.6.9999"])
def test_what_is_no_secret_s_file(name: str) -> None:
    assert not is_file(name)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({}, (None, None, None)),
        ({"uid": "5", "gid": "6", "mode": 288}, (5, 6, 0o440)),
        ({"mode": "0440"}, (None, None, 0o440)),
        ({"mode": "0o440"}, (None, None, 0o440)),
        # "0440" and "0600" in quotes as Compose 2.26 reads them, and 600 as 2.40 writes it
        ({"mode": 440}, (None, None, 0o440)),
        ({"mode": 600}, (None, None, 0o600)),
        ({"mode": "01130"}, (None, None, 0o600)),
        ({"mode": 0o777}, (None, None, 0o777)),
        ({"mode": 0o660}, (None, None, 0o660)),
        ({"mode": "444"}, (None, None, 0o444)),
    ],
)
def test_what_the_long_form_says(item: dict[str, Any], found: tuple[Any, ...]) -> None:
    said = file_access.said(item, "x")
    assert (said.uid, said.gid, said.mode) == found


@pytest.mark.parametrize(
    "item",
    [{"uid": "postgres"}, {"gid": "-1"}, {"uid": str(2**32)}, {"mode": "9"}, {"mode": 0},
     {"mode": 0o4755}, {"mode": 0o200}, {"mode": "rw"}],
)  # fmt: skip
def test_what_no_host_can_make_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(MaestroError) as caught:
        file_access.said(item, "shop/compose.yaml: services.web.secrets.s")
    assert caught.value.where == f"shop/compose.yaml: services.web.secrets.s.{next(iter(item))}"

"""Names that are proved by DNS: the token is in a file, and its path is all that shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maestro.errors import MaestroError
from maestro.host import edge_acme


def test_values_are_files_and_the_container_has_their_paths(tmp_path: Path) -> None:
    own = os.getuid()
    token = tmp_path / "acme-dns/CF_DNS_API_TOKEN"
    given = {"CF_DNS_API_TOKEN": "k-Tq81", "CF_ZONE": "x"}
    assert len(edge_acme.configure(tmp_path, given, own, check=True)) == 2
    assert edge_acme.environment(tmp_path) == []
    edge_acme.configure(tmp_path, given, own)
    assert token.read_text() == "k-Tq81"
    assert token.stat().st_mode & 0o777 == 0o440
    assert edge_acme.environment(tmp_path) == [
        f"CF_DNS_API_TOKEN_FILE={token}",
        f"CF_ZONE_FILE={token.with_name('CF_ZONE')}",
    ]
    before = edge_acme.age(tmp_path)
    assert edge_acme.configure(tmp_path, given, own) == []
    assert edge_acme.age(tmp_path) == before
    os.utime(token, ns=(1, 1))
    assert edge_acme.configure(tmp_path, {"CF_DNS_API_TOKEN": "new"}, own) == [
        token,
        token.with_name("CF_ZONE"),
    ]
    assert edge_acme.environment(tmp_path) == [f"CF_DNS_API_TOKEN_FILE={token}"]
    assert edge_acme.age(tmp_path) != before
    assert edge_acme.configure(tmp_path, {}, own) == [token]
    assert edge_acme.environment(tmp_path) == []


@pytest.mark.parametrize("name", ["../x", "lower", "A_FILE", ""])
def test_what_is_no_variable_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaestroError, match="no variable of a DNS provider"):
        edge_acme.configure(tmp_path, {name: "x"}, 0)

"""Smoke checks that ask the edge by a name its certificate does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.host import edge
from maestro.plan import edge_names


def ask(names: list[str], **spec: Any) -> list[str]:
    extension = {"smoke": [{"tcp": {"port": 1}}, {"http": {"path": "/", **spec}}]}
    found = edge_names.problems("web-1", "shop", extension, {"names": names})
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("names", "spec"),
    [
        (["web-1", "localhost"], {"edge": True}),
        (["a.test"], {"edge": True, "host": "A.test"}),
        (["*.test"], {"edge": True, "host": "a.test"}),
        ([], {"edge": True, "host": "a.test"}),
        (["b.test"], {"port": 80}),
    ],
)
def test_a_name_the_certificate_has(names: list[str], spec: dict[str, Any]) -> None:
    assert ask(names, **spec) == []


@pytest.mark.parametrize(
    ("names", "host"),
    [(["web-1"], "a.test"), (["*.test"], "b.a.test"), (["*.a.test"], "a.test"), (["web-1"], "")],
)
def test_a_name_it_does_not_have(names: list[str], host: str) -> None:
    (said,) = ask(names, edge=True, **({"host": host} if host else {}))
    assert said.startswith("web-1: shop/compose.yaml: x-maestro.smoke[1].http.host: ")
    assert f"add {host or 'localhost'} to edge_hosts of this host" in said


def test_the_names_are_read_from_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of one that Traefik asks for, nor where clients ask in plain HTTP."""
    import real_servers

    settings = tmp_path / "edge.json"
    monkeypatch.setattr(edge, "_settings_file", lambda: settings)
    settings.write_text('{"redirect_https": true, "certificate_resolver": ""}')
    assert edge._certificate_names() == []
    (tmp_path / "certs").mkdir()
    made = real_servers.authority(tmp_path, "a.test")
    (tmp_path / "certs/edge.crt").write_bytes(made.read_bytes())
    assert edge._certificate_names() == ["127.0.0.1"]
    settings.write_text('{"redirect_https": true, "certificate_resolver": "acme"}')
    assert edge._certificate_names() == []
    settings.write_text('{"redirect_https": false, "certificate_resolver": ""}')
    assert edge._certificate_names() == []

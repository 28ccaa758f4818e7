"""The digest of the edge's image, against an Engine that says what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import real_servers
from fake_engine import Fake

from maestro.host import edge_image, engine

D = f"sha256:{'d' * 64}"
E = f"sha256:{'e' * 64}"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    answers = Fake()
    with real_servers.unix_server(tmp_path / "e.sock", answers) as server:
        monkeypatch.setattr(edge_image, "Engine", lambda: engine.Engine(server.address))
        yield answers


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(edge_image, "pull", names.append)
    return names


@pytest.mark.parametrize(
    ("image", "known", "wanted"),
    [
        ("r.test:5000/edge:1", [f"r.test:5000/edge@{D}"], f"@{D}"),
        ("r.test:5000/a/edge:1", [f"r.test:5000/edge@{E}", f"r.test:5000/a/edge@{D}"], f"@{D}"),
        ("traefik:v3", [f"other@{E}", f"traefik@{D}"], f"@{D}"),
        ("r.test:5000/edge", [f"r.test:5000/edge@{D}"], f"@{D}"),
        # Built on the host, or known from another registry alone.
        ("edge:1", [], ""),
        ("edge:1", [f"r.test:5000/edge@{D}"], ""),
    ],
)
def test_what_the_host_has(
    fake: Fake, pulled: list[str], image: str, known: list[str], wanted: str
) -> None:
    fake.say(f"GET /images/{image}/json", {"Id": "sha256:1", "RepoDigests": known})
    assert edge_image.resolve(image, check=True) == f"{image}{wanted}"
    assert pulled == []
    assert edge_image.resolve(image) == f"{image}{wanted}"
    assert pulled == ([] if wanted else [image])


def test_the_registry_is_asked_again_on_request(fake: Fake, pulled: list[str]) -> None:
    fake.say("GET /images/edge:1/json", {"Id": "sha256:1", "RepoDigests": [f"edge@{D}"]})
    assert edge_image.resolve("edge:1", again=True, check=True) == f"edge:1@{D}"
    assert pulled == []
    edge_image.resolve("edge:1", again=True)
    assert pulled == ["edge:1"]

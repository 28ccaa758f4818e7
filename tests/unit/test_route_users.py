"""Users of a route: from a secret into a file of the edge, by the release that is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.host import edge, edge_options, edge_traefik, edge_users
from maestro.host.layout import Layout
from maestro.plan import deploy
from maestro.plan.wanted import Inputs
from maestro.stack import route_users, routes

USER = "ann:$2y$05$" + "a" * 53
ROUTE = {"service": "web", "port": 80, "basic_auth": "web_users"}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path / "edge")
    found = Layout(tmp_path / "maestro", "shop")
    for version in ("r1", "r2"):
        secret = found.secrets / "web_users" / version / "0"
        secret.parent.mkdir(parents=True)
        secret.write_text(f"{USER}\n")
        release = found.releases / version
        release.mkdir(parents=True)
        (release / "compose.yaml").write_text(f"secrets: {{a: {{file: '{secret}'}}}}\n")
    return found


def rendered() -> list[Any]:
    return list(routes.rendered({"routes": [ROUTE]}))


def test_each_version_has_a_file_and_what_no_route_names_goes(layout: Layout) -> None:
    (old,) = edge_users.resolved(layout, "r1", rendered())
    (new,) = edge_users.resolved(layout, "r2", rendered())
    before, after = (Path(edge_options.options(route)["users"]) for route in (old, new))
    assert before != after
    assert before.read_text() == f"{USER}\n"
    assert edge_options.middlewares(new)["users"] == {
        "basicAuth": {"usersFile": str(after), "removeHeader": True}
    }
    edge_users.tidy(layout, [new])
    assert (before.exists(), after.exists()) == (False, True)
    edge_users.tidy(Layout(layout.root, "sho"), [])
    assert after.exists()
    plain: Any = routes.rendered({"routes": [{"service": "web", "port": 80}]})
    assert edge_users.resolved(layout, "none", plain) == plain


@pytest.mark.parametrize(
    "text", ["", "ann\n", "ann:plain-text\n", "# none\n", f"{USER}\nbob:secret\n"]
)
def test_what_holds_no_users_is_refused_and_not_shown(layout: Layout, text: str) -> None:
    (layout.secrets / "web_users/r1/0").write_text(text)
    with pytest.raises(MaestroError, match="does not hold users") as refused:
        edge_users.resolved(layout, "r1", rendered())
    assert "secret\n" not in str(refused.value)
    assert "plain-text" not in str(refused.value)


def test_a_release_without_the_secret(layout: Layout) -> None:
    for release in ("r3", "r1"):
        if release == "r1":
            (layout.secrets / "web_users/r1/0").unlink()
        with pytest.raises(MaestroError, match="has no secret web_users"):
            edge_users.resolved(layout, release, rendered())


def test_health_checks_and_the_page_of_maintenance_ask_nobody() -> None:
    (route,) = routes.rendered({"routes": [{**ROUTE, "health": ["/up"], "strip": False}]})
    host = {"redirect_https": True, "https_port": 443, "certificate_resolver": "", "hosts": []}
    traffic = {"routes": [route], "groups": {}}
    name = "shop-web-0~shop"
    found = edge_traefik.dynamic("shop", traffic, {}, host)["http"]["routers"]
    assert f"{name}~users" in found[f"{name}~https"]["middlewares"]
    assert f"{name}~users" not in found[f"{name}~health~https"]["middlewares"]


def test_the_routes_service_lists_the_secret() -> None:
    model: Any = {"services": {"web": {"secrets": [{"source": "web_users"}]}, "api": {}}}
    assert list(route_users.problems(model, {"routes": [ROUTE]}, "shop")) == []
    other = {"routes": [{**ROUTE, "service": "api"}]}
    (problem,) = route_users.problems(model, other, "shop")
    assert problem.where == "shop/compose.yaml: x-maestro.routes[0].basic_auth"
    assert "services.api.secrets: [web_users]" in problem.fix
    shop = models.shop()
    shop["x-maestro"]["routes"] = [ROUTE]
    state = {**models.bare(), "model": shop, "resolved": models.images(shop)}
    with pytest.raises(MaestroError, match="does not read the secret web_users"):
        deploy.decide(Inputs(models.REQUEST, {"a": state}, "a", "/opt/maestro", run=models.run()))

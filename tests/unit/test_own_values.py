"""A host's own variables are its own: in what it reads, in its plan, in the plan's hash."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.plan import deploy, rollout, wanted
from maestro.play import host_variables
from maestro.stack import variables


def said(version: str = "v1", root: str = "/opt/maestro", *profiles: str) -> dict[str, Any]:
    return {"version": version, "root": root, "profiles": list(profiles)}


def host(model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A bare host that read this model and asked for its images."""
    state = {**models.bare(), "model": model, "resolved": models.images(model), "own": said()}
    state["secrets"] = {"db_password": models.RELEASE}
    return {**state, **changes}


def decide(states: dict[str, dict[str, Any]], **request: Any) -> rollout.Decision:
    return deploy.decide(
        wanted.Inputs({**models.REQUEST, **request}, states, next(iter(states)), run=models.run())
    )


def test_each_host_runs_the_stack_as_it_reads_it() -> None:
    other = models.shop()
    other["services"]["web"]["environment"]["GREETING"] = "ola"
    other["x-maestro"]["smoke"] = [{"name": "other", "http": {"port": "8000", "path": "/x"}}]
    decision = decide({"a": host(models.shop()), "b": host(other)})
    assert "GREETING: hello" in decision.hosts["a"]["compose"]
    assert "GREETING: ola" in decision.hosts["b"]["compose"]
    assert [decision.hosts[name]["smoke"][0]["name"] for name in "ab"] == ["answers", "other"]
    # Another limit or order changes nothing: what a host runs does not depend on the others.
    alone = decide({"b": host(other)})
    for name in ("services", "config_hash"):
        assert alone.hosts["b"]["manifest"][name] == decision.hosts["b"]["manifest"][name]


def test_each_host_has_its_profiles_its_root_and_its_version() -> None:
    states = {
        "a": host(models.shop()),
        "b": host(models.shop("v2"), own=said("v2", "/srv/apps", "debug")),
    }
    decision = decide(states)
    assert decision.hosts["a"]["levels"] == [["db"], ["web"]]
    assert decision.hosts["b"]["levels"] == [["db"], ["web"], ["tool"]]
    assert "/opt/maestro/shop/" in decision.hosts["a"]["compose"]
    assert "/srv/apps/shop/" in decision.hosts["b"]["compose"]
    assert [decision.hosts[name]["manifest"]["version"] for name in "ab"] == ["v1", "v2"]
    # An image that only one host deploys is in that host's release alone.
    assert [len(decision.hosts[name]["manifest"]["images"]) for name in "ab"] == [2, 3]


def test_one_reference_is_one_digest_on_all_hosts() -> None:
    states = {"a": host(models.shop()), "b": host(models.shop(), own=said("v1", "/srv"))}
    web = "registry.test:5000/shop-web:v1"
    states["b"]["resolved"][web] = {"digest": "sha256:" + "0" * 64, "user": "0", "size": 1}
    decision = decide(states)
    digests = {decision.hosts[name]["manifest"]["images"][web]["digest"] for name in "ab"}
    assert digests == {models.digest(web)}


def test_an_image_nobody_asked_for_is_refused() -> None:
    states = {"a": host(models.shop()), "b": host(models.shop("v2"))}
    del states["b"]["resolved"]["registry.test:5000/shop-web:v2"]
    with pytest.raises(MaestroError, match=r"no host asked the registry for .*shop-web:v2"):
        decide(states)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["model"]["services"]["web"]["environment"].update(GREETING="x"),
        lambda state: state["own"].update(profiles=["debug"]),
        lambda state: state["own"].update(root="/srv"),
        lambda state: state["own"].update(version="v2"),
    ],
)
def test_the_plan_s_hash_is_of_each_host_s_values(change: Any) -> None:
    states = {"a": host(models.shop()), "b": host(models.shop())}
    before = decide(copy.deepcopy(states)).digest
    change(states["b"])
    assert decide(states).digest != before


def test_a_problem_of_all_hosts_is_said_once_and_one_host_s_with_its_name() -> None:
    wrong = models.shop()
    wrong["services"]["web"]["privileged"] = True
    both = {"a": host(copy.deepcopy(wrong)), "b": host(copy.deepcopy(wrong))}
    with pytest.raises(MaestroError) as caught:
        decide(both)
    assert caught.value.where == "shop/compose.yaml: services.web.privileged"
    with pytest.raises(MaestroError) as caught:
        decide({"a": host(models.shop()), "b": host(wrong)})
    assert caught.value.where == "b: shop/compose.yaml: services.web.privileged"


def test_an_open_version_is_the_one_the_others_run() -> None:
    states = {
        "a": host(models.shop(), own=said("v9")),
        "b": host(models.shop(), own=said(""), version="v7"),
    }
    assert [plan.version for plan in decide(states).plans] == ["v9", "v7"]


# What of a request is a host's own


def values(**changes: Any) -> dict[str, Any]:
    return {
        "stack": "shop",
        "environment": "staging",
        "directory": "stacks",
        "version": "v1",
        "variables": {"WHO": "a"},
        "profiles": [],
        "registry": "registry.test:5000",
        "registry_username": "maestro",
        "secrets": {"source": "vault"},
        **changes,
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    home = tmp_path / "stacks/shop"
    home.mkdir(parents=True)
    (home / "compose.yaml").write_text('services: {web: {image: "x:${VERSION}", user: "${WHO}"}}\n')
    return tmp_path


FIRST = host_variables.settled(
    {"stack": "shop", "environment": "staging", "directory": "stacks"}, values()
)


def test_a_host_like_the_first_is_not_looked_at_again(tmp_path: Path) -> None:
    assert host_variables.request_of(FIRST, values(), tmp_path / "is not read") == (FIRST, False)


def test_a_host_with_other_values_asks_for_itself(project: Path) -> None:
    found, differs = host_variables.request_of(
        FIRST, values(variables={"WHO": "b"}, version="v2"), project
    )
    assert differs
    assert found["variables"] == {"WHO": "b", "REGISTRY": "registry.test:5000"}
    assert found["version"] == "v2"


def test_another_registry_is_other_images(project: Path) -> None:
    found, differs = host_variables.request_of(FIRST, values(registry="mirror.test"), project)
    assert differs
    assert (found["registry"], found["variables"]["REGISTRY"]) == ("mirror.test", "mirror.test")


def test_other_secrets_are_read_for_the_host(project: Path) -> None:
    found, differs = host_variables.request_of(FIRST, values(secrets={"source": "sops"}), project)
    assert not differs
    assert found["secrets_settings"] == {"source": "sops"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stack": "notes"}, "the stack is notes here and shop on the first host"),
        ({"directory": "docker"}, "the directory is docker here and stacks on the first host"),
        ({"version": "latest"}, "'latest' cannot be deployed as a version"),
    ],
)
def test_what_a_host_cannot_have_of_its_own(
    project: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MaestroError, match=message):
        host_variables.request_of(FIRST, values(**changes), project)


def test_what_is_wrong_with_the_files_of_one_host_goes_into_the_plan(project: Path) -> None:
    found, differs = host_variables.request_of(FIRST, values(variables={}), project)
    assert differs
    (problem,) = found["problems"]
    assert problem["what"] == "the variable WHO has no value and no default"
    # Something stands in for it, so that the rest is looked at.
    assert found["variables"]["WHO"] == variables.STAND_IN
    states = {name: host(models.shop()) for name in "ab"}
    states["b"]["own"]["problems"] = found["problems"]
    with pytest.raises(MaestroError, match="WHO has no value") as caught:
        decide(states)
    assert caught.value.where.startswith("b: ")

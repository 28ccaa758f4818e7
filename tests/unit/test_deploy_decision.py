"""From the states of all hosts to the plan of each, and what each step then needs."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import stack_models as models
import yaml

from maestro.errors import MaestroError, MaestroErrors
from maestro.host.files import File
from maestro.plan import deploy, rollout
from maestro.plan.rollout import Decision
from maestro.plan.wanted import Inputs
from maestro.release import recorded

REQUEST = {**models.REQUEST, "git_commit": "0123abc"}


def resolver(state: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """The state of the host that read the model and asked the registry."""
    return {**state, "model": model, "resolved": models.images(model)}


def decide(
    states: dict[str, dict[str, Any]], profiles: frozenset[str] = frozenset(), **request: Any
) -> Decision:
    asked = {**REQUEST, **request}
    first = next(iter(states.values()))
    for state in states.values():  # hosts without values of their own read the same
        state["model"] = state["model"] or first["model"]
    return deploy.decide(
        Inputs(asked, states, next(iter(states)), "/opt/maestro", profiles, run=models.run())
    )


def bare(model: dict[str, Any], *hosts: str) -> dict[str, dict[str, Any]]:
    states = {host: models.bare() for host in hosts}
    states[hosts[0]] = resolver(states[hosts[0]], model)
    return states


def refused(states: dict[str, dict[str, Any]], **request: Any) -> MaestroError:
    with pytest.raises(MaestroError) as caught:
        decide(states, **request)
    return caught.value


def test_a_first_deploy_has_work_for_each_host() -> None:
    decision = decide(bare(models.shop(), "a", "b"))
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", decision.release)
    assert [plan.host for plan in decision.plans] == ["a", "b"]
    for host in ("a", "b"):
        work = decision.hosts[host]
        assert work["levels"] == [["db"], ["web"]]
        assert (work["recreate"], work["remove"]) == ([], [])
        assert work["migrations"] == [
            {
                "service": "migrate",
                "database": "host",
                "on": host,
                "timeout": 60.0,
                "networks": {},
                "needs": [["db"]],
            }
        ]
        assert work["smoke"] == models.EXTENSION["smoke"]
        assert work["secret_files"] == [
            {"name": "db_password", "version": decision.release, "uid": 999},
            {"name": "db_password", "version": decision.release, "uid": 1000},
        ]
        assert set(work["configs"]) == {"settings"}
        assert set(yaml.safe_load(work["compose"])["services"]) == {"db", "web", "migrate"}
        assert work["plan"]["changes"] is True


def test_the_manifest_says_what_serves_and_how_to_go_back() -> None:
    decision = decide(bare(models.shop(), "a"), approved_by="jo")
    manifest = decision.hosts["a"]["manifest"]
    web = models.digest("registry.test:5000/shop-web:v1")
    assert manifest["services"]["web"]["digest"] == web
    assert manifest["services"]["web"]["image"] == f"registry.test:5000/shop-web@{web}"
    assert manifest["images"]["registry.test:5000/shop-web:v1"]["digest"] == web
    assert set(manifest["images"]) == {
        "registry.test:5000/shop-web:v1",
        "registry.test:5000/postgres:17-1",
    }
    assert set(manifest["migrations"]) == {"migrate"}
    assert manifest["secrets"] == {"db_password": decision.release}
    assert manifest["order"] == [["db"], ["web"]]
    assert set(manifest["configs"]) == {"settings"}
    assert re.fullmatch(r"[0-9a-f]{64}", manifest["config_hash"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest["created"])
    assert "@" in manifest["by"]
    assert {
        key: manifest[key]
        for key in (
            *("schema", "id", "stack", "environment", "version", "previous"),
            *("approved_by", "git_commit", "plan"),
        )
    } == {
        "schema": 1,
        "id": decision.release,
        "stack": "shop",
        "environment": "staging",
        "version": "v1",
        "previous": "",
        "approved_by": "jo",
        "git_commit": "0123abc",
        "plan": decision.digest,
    }


def test_nothing_to_do() -> None:
    model = models.shop()
    states = {"a": resolver(models.running(model), model), "b": models.running(model)}
    for version in ("v1", ""):
        decision = decide(states, version=version)
        assert not any(plan.changes for plan in decision.plans)
        work = decision.hosts["a"]
        assert (work["levels"], work["migrations"], work["remove"]) == ([], [], [])
        assert work["manifest"]["previous"] == models.RELEASE


def test_only_what_differs_is_touched() -> None:
    old, new = models.shop("v1"), models.shop("v2")
    state = models.running(old)
    state["containers"].append(models.container("gone", "x"))
    state["containers"][0]["health"] = "unhealthy"
    decision = decide({"a": resolver(state, new)}, version="v2")
    work = decision.hosts["a"]
    assert work["levels"] == [["db"], ["web"]]
    assert work["recreate"] == ["db"], "a new version's container is another one in any case"
    assert work["remove"] == ["gone"]
    assert work["manifest"]["secrets"] == {"db_password": models.RELEASE}


def test_a_host_keeps_its_secrets_versions() -> None:
    model = models.shop()
    changed = {**models.running(model), "secrets": {"db_password": ""}}
    decision = decide({"a": resolver(models.running(model), model), "b": changed})
    assert decision.hosts["a"]["manifest"]["secrets"] == {"db_password": models.RELEASE}
    assert decision.hosts["b"]["manifest"]["secrets"] == {"db_password": decision.release}
    assert [plan.changes for plan in decision.plans] == [False, True]


def test_profiles_are_asked_for() -> None:
    states = bare(models.shop(), "a")
    assert decide(states).hosts["a"]["levels"] == [["db"], ["web"]]
    wanted = decide(states, frozenset(["debug"]))
    assert wanted.hosts["a"]["levels"] == [["db"], ["web"], ["tool"]]


def test_a_shared_database_is_migrated_from_one_host() -> None:
    model = models.shop()
    model["x-maestro"]["migrations"][0]["database"] = "shared"
    decision = decide(bare(model, "a", "b"))
    assert [len(decision.hosts[host]["migrations"]) for host in ("a", "b")] == [1, 0]
    assert all(plan.migrations for plan in decision.plans), "the plan of both records it"
    # The host that has it already is not asked again, whichever changes first.
    states = {"a": models.running(model), "b": models.bare()}
    states["a"] = resolver(states["a"], model)
    states["a"]["containers"] = []
    decision = decide(states)
    assert [len(decision.hosts[host]["migrations"]) for host in ("a", "b")] == [0, 1]


def test_a_migration_that_leaves_no_way_back_is_recorded() -> None:
    model = models.shop()
    model["x-maestro"]["migrations"][0]["backward_compatible"] = False
    first = decide(bare(model, "a")).hosts["a"]["manifest"]
    assert first["breaking"] == first["migrated"] == ["migrate"]
    again = decide({"a": resolver(models.running(model), model)}).hosts["a"]["manifest"]
    assert again["breaking"] == again["migrated"] == [], "it was run by an earlier release"
    assert decide(bare(models.shop(), "a")).hosts["a"]["manifest"]["breaking"] == []


def test_another_volume_is_refused_unless_it_is_meant() -> None:
    model = models.shop()
    states = {"a": models.running(model)}
    moved = models.shop()
    moved["volumes"]["data"]["name"] = "shop_fresh"
    states["a"] = resolver(states["a"], moved)
    assert "shop_data and would become shop_fresh" in refused(states).what
    assert decide(states, accept_volume_change=True).plans[0].changes


def test_what_a_check_says_is_what_was_written() -> None:
    model = models.shop()
    model["x-maestro"]["smoke"] = [{"command": {"service": "db", "argv": ["echo", "$$HOME"]}}]
    (check,) = decide(bare(model, "a")).hosts["a"]["smoke"]
    assert check["command"]["argv"] == ["echo", "$HOME"]


# The hash an approval is bound to


def test_the_plan_s_hash_is_the_same_each_time() -> None:
    states = bare(models.shop(), "a", "b")
    first, second = decide(states), decide(copy.deepcopy(states))
    assert first.release != second.release
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda states: states["b"].update(models.running(models.shop())),
        lambda states: states["a"]["model"]["services"]["web"]["environment"].update(GREETING="x"),
        lambda states: states["a"]["model"]["x-maestro"].update(smoke=[]),
        lambda states: states["a"]["resolved"].update(
            {"registry.test:5000/shop-web:v1": {"digest": "sha256:1", "user": "1", "size": 1}}
        ),
    ],
)
def test_the_plan_s_hash_is_of_state_and_content(change: Any) -> None:
    states = bare(models.shop(), "a", "b")
    before = decide(states).digest
    change(states)
    assert decide(states).digest != before


def test_the_plan_s_hash_is_not_of_what_changes_by_itself() -> None:
    states = bare(models.shop(), "a")
    before = decide(states).digest
    states["a"]["engine"].update(memory=1 << 40, free=1 << 40)
    assert decide(states).digest == before


def test_the_plan_s_hash_is_of_configuration_files() -> None:
    states = bare(models.shop(), "a")
    known = models.FILES["config/settings.json"]
    for changed in (File(b"{}").as_json(), {**known, "mode": 0o755}):
        other = {**models.FILES, "config/settings.json": changed}
        assert decide(states).digest != decide(states, files=other).digest


# Which version


@pytest.mark.parametrize(
    ("versions", "what", "where"),
    [
        (("", ""), "no version was given: shop has not been deployed here yet", "a, b"),
        (("v1", "v2"), "the hosts run different versions", "a: v1, b: v2"),
        (("v1", ""), "the hosts run different versions", "a: v1, b: none"),
    ],
)
def test_a_version_that_cannot_be_known(versions: tuple[str, str], what: str, where: str) -> None:
    states = bare(models.shop(), "a", "b")
    for state, version in zip(states.values(), versions, strict=True):
        state["version"] = version
    error = refused(states, version="")
    assert (error.what, error.where) == (what, where)
    assert "-e version=TAG" in error.fix


def test_the_version_is_the_one_that_runs() -> None:
    model = models.shop()
    states = {"a": resolver(models.running(model, "v7"), model), "b": models.running(model, "v7")}
    assert [plan.version for plan in decide(states, version="").plans] == ["v7", "v7"]


# What is refused


def test_what_compose_cannot_read() -> None:
    states = bare(models.shop(), "a")
    states["a"].update(model={}, model_problem="compose.yaml: Compose cannot read the stack: why")
    assert str(refused(states)) == "compose.yaml: Compose cannot read the stack: why"


def test_an_extension_is_judged_as_filled_in() -> None:
    model = models.shop()
    model["x-maestro"]["smoke"][0]["http"]["port"] = "99999"
    model["x-maestro"]["migrations"].append({"service": "$$migrat"})
    error = refused(bare(model, "a"))
    assert isinstance(error, MaestroErrors)
    assert [problem.where for problem in error.problems] == [
        "shop/compose.yaml: x-maestro.smoke[0].http.port",
        "shop/compose.yaml: x-maestro.migrations[1].service",
    ]


def test_what_the_policy_forbids_in_what_is_deployed() -> None:
    model = models.shop()
    model["services"]["web"]["privileged"] = True
    model["services"]["tool"]["privileged"] = True
    assert refused(bare(model, "a")).where == "shop/compose.yaml: services.web.privileged"
    assert decide(bare(model, "a"), environment="development").plans


def test_all_that_the_registry_refused_once() -> None:
    states = bare(models.shop(), "a")
    states["a"]["refused"] = {
        "registry.test:5000/shop-web:v1": "no v1",
        "registry.test:5000/postgres:17-1": "no postgres",
        "registry.test:5000/tool:1": "no tool",
    }
    assert str(refused(states)) == "no postgres\nno v1"


def test_what_all_hosts_lack_at_once() -> None:
    states = bare(models.shop(), "a", "b")
    for state in states.values():
        state["engine"].update(free=0, memory=1)
    error = refused(states)
    assert isinstance(error, MaestroErrors)
    assert [problem.where for problem in error.problems] == [
        "a: /var/lib/docker",
        "a",
        "b: /var/lib/docker",
        "b",
    ]


@pytest.mark.parametrize(
    ("hosts", "sizes", "found"),
    [
        ("abcd", ["100%"], ["abcd"]),
        ("abcd", ["1", "50%", "100%"], ["a", "b", "cd"]),
        ("abcde", [1, "50%"], ["a", "bc", "de"]),
        ("a", ["1", "50%"], ["a"]),
        ("ab", ["5"], ["ab"]),
        ("", ["1"], []),
    ],
)
def test_waves(hosts: str, sizes: list[str], found: list[str]) -> None:
    assert rollout.waves(hosts, sizes) == [list(wave) for wave in found]


@pytest.mark.parametrize("size", ["0", "half", "-1", "", "10 %"])
def test_a_wave_of_no_size(size: str) -> None:
    with pytest.raises(MaestroError, match="as the size of a wave"):
        rollout.waves("ab", [size])


def test_a_stack_with_routes_needs_an_edge() -> None:
    model = models.shop()
    model["x-maestro"]["routes"] = [{"service": "web", "port": 8000}]
    states = bare(model, "a", "b")
    assert decide(states).hosts["a"]["manifest"]["routes"][0]["service"] == "web"
    states["b"]["edge"]["installed"] = False
    assert "this host has no edge" in str(refused(states))


def test_a_name_that_nobody_gives_a_value_is_said() -> None:
    model = models.shop()
    model["services"]["web"]["environment"] |= {"TOKEN": None, "USER": None}
    (plan,) = decide(bare(model, "a")).plans
    assert any("web: TOKEN, USER of its environment have no value" in w for w in plan.warnings)
    assert not any("have no value" in w for w in decide(bare(models.shop(), "a")).plans[0].warnings)


def test_the_file_of_what_serves_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan asks it of many things; hosts that serve one release have one file."""
    texts: list[str] = []
    read = recorded.document
    monkeypatch.setattr(recorded, "document", lambda text: texts.append(text) or read(text))
    states = {host: models.running(models.shop()) for host in ("a", "b", "c")}
    states["a"] = resolver(states["a"], models.shop())
    states["c"] = models.bare()
    decide(states)
    assert sorted(texts) == ["", states["a"]["compose"]]

"""The plan of a host: nothing where nothing differs, and exactly what differs otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import stack_models as models

from maestro.plan import compare, describe, host_limits, preflight, reasons
from maestro.plan.reasons import Reason
from maestro.plan.records import Plan, Step
from maestro.release.recorded import document

Change = Callable[[dict[str, Any]], Any]
V1_V2 = (
    f"image v1 ({models.digest('registry.test:5000/shop-web:v1')[:19]})"
    f" -> v2 ({models.digest('registry.test:5000/shop-web:v2')[:19]})"
)


def planned(
    model: dict[str, Any],
    state: dict[str, Any],
    version: str = "v1",
    host: str = "staging-1",
    routes: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Plan:
    asked = models.wish(model, **{"secrets": {"db_password": models.RELEASE}, **changes})
    return compare.decide(
        host,
        "staging",
        models.rendered(model, **{"secrets": {"db_password": models.RELEASE}, **changes}),
        state,
        images=asked.images,
        wish={
            "stack": "shop",
            "version": version,
            "model": model,
            "extension": model["x-maestro"],
            "routes": routes or [],
        },
    )


def steps(plan: Plan) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is done and why, without what is kept."""
    return {
        step.service: (step.action, tuple(map(reasons.shown, step.reasons)))
        for step in plan.steps
        if step.action != "keep"
    }


def test_what_runs_as_released_is_kept() -> None:
    model = models.shop()
    plan = planned(model, models.running(model))
    assert plan.steps == [Step("keep", "db"), Step("keep", "web")]
    assert not plan.changes
    assert (plan.pulls, plan.migrations, plan.secrets) == ([], [], {})
    assert (plan.release, plan.version_before, plan.version) == (models.RELEASE, "v1", "v1")


def test_a_bare_host_gets_everything_in_order() -> None:
    plan = planned(models.shop(), models.bare())
    assert plan.changes
    assert plan.steps == [
        Step("create", "db", (Reason(reasons.MISSING),)),
        Step("create", "web", (Reason(reasons.MISSING),)),
    ]
    assert plan.services("create") == ["db", "web"]
    assert [pull["reference"] for pull in plan.pulls] == [
        "registry.test:5000/postgres:17-1",
        "registry.test:5000/shop-web:v1",
    ]
    assert plan.pulls[0]["image"].startswith("registry.test:5000/postgres@sha256:")
    assert plan.pulls[0]["size"] == 10_000_000
    assert plan.migrations == [{"service": "migrate", "database": "host", "on": "staging-1"}]
    assert plan.secrets == {"db_password": "new"}
    assert (plan.release, plan.version_before) == ("", "")


def test_a_new_version_replaces_what_has_it_alone() -> None:
    plan = planned(models.shop("v2"), models.running(models.shop("v1")), "v2")
    assert steps(plan) == {"web": ("replace", (V1_V2,))}
    assert [pull["reference"] for pull in plan.pulls] == ["registry.test:5000/shop-web:v2"]
    assert [item["service"] for item in plan.migrations] == ["migrate"]
    assert (plan.version_before, plan.version) == ("v1", "v2")


def test_a_new_version_of_the_same_images_is_a_release_still() -> None:
    model = models.shop()
    plan = planned(model, models.running(model, "v1"), "v2")
    assert steps(plan) == {}
    assert plan.changes


def web(**keys: Any) -> Change:
    return lambda model: model["services"]["web"].update(keys)


DIFFERENCES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "environment": (
        web(environment={"GREETING": "bye", "PRICE": "5$$", "NEW": None}),
        ("environment GREETING, NEW",),
    ),
    "all of the environment": (web(environment=None), ("environment GREETING, PRICE",)),
    "command": (web(command=["other"]), ("command",)),
    "label": (web(labels={"a": "b"}), ("labels",)),
    "limit": (
        web(deploy={"resources": {"limits": {"memory": "134217728"}}, "placement": {}}),
        ("deploy",),
    ),
    "port": (
        web(ports=[{"mode": "ingress", "target": 8000, "published": "9", "protocol": "tcp"}]),
        ("ports",),
    ),
    "config": (
        lambda model: model["configs"].update(settings={"content": "other"}),
        ("configs shop.json",),
    ),
    "another target": (
        web(configs=[{"source": "settings", "target": "/etc/other.json"}]),
        ("configs other.json, shop.json",),
    ),
    "one network more": (
        web(networks={"default": None, "unused": None}),
        ("networks",),
    ),
    "two things": (
        web(user="7:7", read_only=True, secrets=None),
        ("read_only", "secrets db_password", "user"),
    ),
    "definition of a network": (
        lambda model: model["networks"]["default"].update(internal=True),
        ("networks default",),
    ),
}


@pytest.mark.parametrize(("change", "why"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_each_difference_has_its_reason(change: Change, why: tuple[str, ...]) -> None:
    old = models.shop()
    new = copy.deepcopy(old)
    change(new)
    found = steps(planned(new, models.running(old)))
    assert found["web"] == ("replace", why)
    others = {"db"} if why == ("networks default",) else set()
    assert set(found) == {"web"} | others
    assert models.running(new)["containers"], "and once it is released it is no difference"
    assert not planned(new, models.running(new)).changes


def test_no_value_is_shown() -> None:
    new = models.shop()
    new["services"]["web"]["environment"]["GREETING"] = "swordfish"
    plan = planned(new, models.running(models.shop()))
    assert "swordfish" not in describe.describe([plan], "x")
    assert "swordfish" not in str(plan.as_dict())


def test_a_rotated_secret_replaces_its_readers() -> None:
    model = models.shop()
    model["services"]["web"]["secrets"] = None
    model["services"]["migrate"]["secrets"] = None
    state = models.running(model)
    state["secrets"] = {"db_password": ""}
    plan = planned(model, state, secrets={"db_password": "r2"})
    assert steps(plan) == {"db": ("replace", ("secrets db_password",))}
    assert plan.secrets == {"db_password": "changed"}
    assert plan.migrations == []


def test_a_secret_nobody_reads_is_no_news() -> None:
    model = models.shop()
    for service in model["services"].values():
        service["secrets"] = None
    state = models.running(model)
    state["secrets"] = {"db_password": ""}
    assert planned(model, state).secrets == {}


def test_a_new_and_a_removed_service() -> None:
    old, new = models.shop(), models.shop()
    new["services"]["cache"] = models.service("cache:1")
    del new["services"]["db"]
    for service in new["services"].values():
        (service.get("depends_on") or {}).pop("db", None)
    found = planned(new, models.running(old))
    assert steps(found) == {
        "cache": ("create", ("has no container",)),
        "db": ("remove", ("no longer in the stack",)),
    }
    assert found.services("remove") == ["db"]


@pytest.mark.parametrize(
    ("replicas", "reason"), [(3, "1 -> 3 containers"), (2, "1 -> 2 containers")]
)
def test_more_replicas(replicas: int, reason: str) -> None:
    old, new = models.shop(), models.shop()
    new["services"]["db"]["deploy"]["replicas"] = replicas
    assert steps(planned(new, models.running(old))) == {"db": ("scale", (reason,))}
    assert not planned(new, models.running(new)).changes


def test_no_replicas_any_more() -> None:
    old, new = models.shop(), models.shop()
    new["services"]["web"]["deploy"]["replicas"] = 0
    assert steps(planned(new, models.running(old))) == {
        "web": ("remove", ("no longer in the stack",))
    }
    assert not planned(new, models.running(new)).changes


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        ({"status": "exited"}, ("start", ("is exited",))),
        ({"status": "created"}, ("start", ("is created",))),
        ({"status": "paused"}, ("start", ("is paused",))),
        ({"health": "unhealthy"}, ("replace", ("is unhealthy",))),
        ({"hash": "other"}, ("replace", ("differs from the recorded release",))),
        ({"hash": ""}, ("replace", ("differs from the recorded release",))),
        (
            {"hash": "other", "health": "unhealthy"},
            ("replace", ("differs from the recorded release",)),
        ),
    ],
)
def test_drift(drift: dict[str, str], expected: tuple[str, tuple[str, ...]]) -> None:
    model = models.shop()
    state = models.running(model)
    state["containers"][1].update(drift)
    plan = planned(model, state)
    assert steps(plan) == {"web": expected}
    assert plan.changes


def test_a_container_that_was_disconnected_from_its_network() -> None:
    model = models.shop()
    state = models.running(model)
    release = models.rendered(model)
    names = [item["name"] for item in release.compose["networks"].values()]
    for container in state["containers"]:
        container["networks"] = [*names, "another"]
    assert not planned(model, state).changes
    state["containers"][1]["networks"] = ["another"]
    plan = planned(model, state)
    lost = f"is not on the network {names[0]}"
    assert steps(plan) == {"web": ("replace", (lost,))}
    assert [compare.recreates(step) for step in plan.steps] == [False, True]


@pytest.mark.parametrize("drift", [{"health": "starting"}, {"health": "none"}])
def test_no_drift(drift: dict[str, str]) -> None:
    model = models.shop()
    state = models.running(model)
    state["containers"][1].update(drift)
    assert not planned(model, state).changes


def test_a_container_too_many() -> None:
    model = models.shop()
    state = models.running(model)
    state["containers"].append(dict(state["containers"][1], id="web-9"))
    assert steps(planned(model, state)) == {"web": ("scale", ("2 -> 1 containers",))}


def test_a_container_that_is_gone() -> None:
    model = models.shop()
    state = models.running(model)
    del state["containers"][0]
    assert steps(planned(model, state)) == {"db": ("create", ("has no container",))}


@pytest.mark.parametrize("text", ["", "services: [", "just text", "services:\n"])
def test_a_damaged_record_of_the_release(text: str) -> None:
    state = models.running(models.shop("v1"))
    state["file"] = document(text)
    plan = planned(models.shop("v2"), state, "v2")
    assert steps(plan) == {"web": ("replace", ("differs from the recorded release",))}


def test_an_image_that_is_gone_is_pulled_with_the_next_change_only() -> None:
    model = models.shop()
    state = models.running(model)
    state["images"] = []
    plan = planned(model, state)
    assert not plan.changes
    assert len(plan.pulls) == 2


def test_an_image_nobody_runs_is_not_pulled() -> None:
    model = models.shop()
    images = {**models.images(model), "r.test/x:1": {"digest": "sha256:x", "user": "", "size": 1}}
    references = [pull["reference"] for pull in planned(model, models.bare(), images=images).pulls]
    assert "r.test/x:1" not in references
    assert "registry.test:5000/tool:1" not in references


# Migrations


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        (lambda model: None, False),
        (web(command=["other"]), False),
        (lambda model: model["services"]["migrate"].update(command=["migrate", "more"]), True),
        (
            lambda model: model["services"]["migrate"].update(
                image="registry.test:5000/shop-web:v2"
            ),
            True,
        ),
        (lambda model: model["x-maestro"]["migrations"][0].update(timeout=9), False),
    ],
)
def test_a_migration_runs_when_it_is_another(change: Change, runs: bool) -> None:
    old, new = models.shop(), models.shop()
    change(new)
    plan = planned(new, models.running(old))
    assert bool(plan.migrations) == runs
    if runs:
        assert plan.changes


def test_a_migration_alone_is_a_change() -> None:
    old, new = models.shop(), models.shop()
    new["services"]["migrate"]["command"] = ["other"]
    plan = planned(new, models.running(old))
    assert steps(plan) == {}
    assert plan.changes


def shared() -> dict[str, Any]:
    model = models.shop()
    model["x-maestro"]["migrations"] = [
        {"service": "migrate", "database": "shared"},
        {"service": "own"},
    ]
    model["services"]["own"] = models.service("shop-web:v1", command=["own"])
    return model


def test_a_shared_database_is_migrated_from_the_first_host_that_needs_it() -> None:
    model = shared()
    plans = [
        planned(model, models.running(model), host="a"),
        planned(model, models.bare(), host="b"),
        planned(model, models.bare(), host="c"),
    ]
    compare.share_migrations(plans)
    assert [[(item["service"], item["on"]) for item in plan.migrations] for plan in plans] == [
        [],
        [("migrate", "b"), ("own", "b")],
        [("migrate", "b"), ("own", "c")],
    ]
    assert all(plan.changes for plan in plans[1:])


# How the plan reads


def test_a_plan_reads_as_what_will_happen() -> None:
    plan = planned(models.shop("v2"), models.running(models.shop("v1")), "v2")
    plan.steps.append(Step("remove", "old", (Reason(reasons.LEAVES),)))
    assert describe.describe([plan], "0123456789ab").splitlines() == [
        "shop on staging-1 (staging): v1 -> v2",
        "    pull      registry.test:5000/shop-web:v2 (10.0 MB)",
        "    migrate   migrate (database: host)",
        "    keep      db",
        f"    replace   web  {V1_V2}",
        "    remove    old  no longer in the stack",
        "plan 0123456789ab",
    ]


def test_hosts_with_one_plan_stand_together() -> None:
    model = shared()
    plans = [planned(model, models.bare(), host=host) for host in ("a", "b")]
    plans.append(planned(model, models.running(model), host="c"))
    compare.share_migrations(plans)
    lines = describe.describe(plans, "x").splitlines()
    assert lines[0] == "shop on a, b (staging): nothing -> v1"
    assert "    secret    db_password (new)" in lines
    assert "    migrate   migrate (database: shared, from a)" in lines
    assert lines[-3:] == ["shop on c (staging): v1, no change", "    keep      db, web", "plan x"]


# Preflight


def refused(**engine: Any) -> list[str]:
    """What is said of a bare host whose Engine says something else than usual."""
    model = models.shop()
    state = models.bare()
    state["engine"].update(engine)
    problems = preflight.preflight(planned(model, state), models.rendered(model), state)
    assert all(problem.where.startswith("staging-1") and problem.fix for problem in problems)
    return [problem.what for problem in problems]


PULLED = 20_000_000 * 3 + (256 << 20)


@pytest.mark.parametrize(
    ("engine", "what"),
    [
        ({"version": "24.0.7"}, ["Docker Engine 24.0.7 is too old, 25.0 or newer is needed"]),
        (
            {"version": "20.10.24+dfsg1"},
            ["Docker Engine 20.10.24+dfsg1 is too old, 25.0 or newer is needed"],
        ),
        ({"version": ""}, ["Docker Engine was not found, 25.0 or newer is needed"]),
        ({"version": "25.0.0"}, []),
        ({"version": "100.1"}, []),
        ({"compose": "2.23.3"}, ["Docker Compose 2.23.3 is too old, 2.24 or newer is needed"]),
        ({"compose": "1.29.2"}, ["Docker Compose 1.29.2 is too old, 2.24 or newer is needed"]),
        ({"compose": ""}, ["Docker Compose was not found, 2.24 or newer is needed"]),
        ({"compose": "2.24.0"}, []),
        ({"free": PULLED}, []),
        ({"free": PULLED - 1}, ["not enough disk space: 313 MiB needed, 313 MiB free"]),
        ({"free": 0}, ["not enough disk space: 313 MiB needed, 0 MiB free"]),
        (
            {"root_free": (16 << 20) - 1},
            ["not enough disk space for releases: 16 MiB needed, 16 MiB free"],
        ),
        ({"root_free": 16 << 20}, []),
        ({"memory": 128 << 20}, []),
        (
            {"memory": (128 << 20) - 1},
            ["the memory limits add up to 128 MiB, the host has 128 MiB"],
        ),
    ],
)
def test_a_host_that_cannot_take_the_plan(engine: dict[str, Any], what: list[str]) -> None:
    assert refused(**engine) == what


def test_everything_a_host_lacks_at_once() -> None:
    assert len(refused(version="1.0", compose="1.0", free=0, root_free=0, memory=1)) == 5


def test_room_is_needed_for_a_change_only() -> None:
    model = models.shop()
    state = models.running(model)
    state["engine"].update(free=0, root_free=0)
    assert preflight.preflight(planned(model, state), models.rendered(model), state) == []


def test_large_sizes_are_in_gibibytes() -> None:
    model = models.shop()
    model["services"]["db"]["deploy"]["resources"]["limits"]["memory"] = str(64 << 30)
    state = models.bare()
    (problem,) = preflight.preflight(planned(model, state), models.rendered(model), state)
    assert problem.what == "the memory limits add up to 64 GiB, the host has 4096 MiB"


def route(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "service": "web", "port": 8000, **changes}


def test_a_changed_route_alone_is_a_change() -> None:
    model = models.shop()
    state = models.running(model)
    state["release"]["routes"] = [route("a"), route("b"), route("c")]
    plan = planned(model, state, routes=[route("a"), route("b", path="/x"), route("d")])
    assert plan.routes == {"b": "changed", "c": "removed", "d": "new"}
    assert plan.changes
    assert "    route     d (new)" in describe.describe([plan], "0").splitlines()
    assert not planned(model, models.running(model)).changes


def test_a_service_whose_port_is_needed_goes_first() -> None:
    state = models.running(models.shop())
    model = models.shop()
    model["services"]["shop"] = model["services"].pop("web")
    plan = planned(model, state)
    rendered = models.rendered(model)
    assert compare.in_the_way(plan, rendered, state["file"]) == ["web"]
    model["services"]["shop"]["ports"][0]["published"] = "8001"
    assert compare.in_the_way(planned(model, state), models.rendered(model), state["file"]) == []


def test_what_starts_first_says_so() -> None:
    old, new = models.shop("v1"), models.shop("v2")
    for model in (old, new):
        del model["services"]["web"]["ports"]
        model["services"]["web"]["deploy"]["update_config"] = {"order": "start-first"}
    plan = planned(new, models.running(old), "v2")
    assert (
        f"    replace   web  {V1_V2} (start-first)" in describe.describe([plan], "0").splitlines()
    )


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ({"cpus": 2}, ""),
        ({"cpus": 2.5}, "cpus"),
        ({"deploy": {"resources": {"limits": {"cpus": "64"}}}}, "deploy.resources.limits.cpus"),
        ({"deploy": {"resources": {"limits": {"cpus": "1.5", "memory": "67108864"}}}}, ""),
        ({"cpuset": "0,1"}, ""),
        ({"cpuset": "0-7"}, "cpuset"),
        ({"mem_limit": "64"}, "mem_limit"),
        ({"mem_limit": str(6 << 20)}, ""),
    ],
)
def test_what_no_container_of_the_host_can_have(service: dict[str, Any], where: str) -> None:
    found = list(host_limits.problems("h", {"web": service}, {"cpus": 2}, {"web"}))
    assert [problem.where for problem in found] == ([f"h: services.web.{where}"] if where else [])
    # One that runs an older program says nothing of its processors and GPUs.
    assert not [
        p for p in host_limits.problems("h", {"web": service}, {}, {"web"}) if "cpu" in str(p.where)
    ]


@pytest.mark.parametrize(
    "devices",
    [
        [{"capabilities": ["gpu"], "count": -1}],
        [{"driver": "nvidia", "capabilities": ["compute"]}],
        [{"driver": "cdi", "capabilities": ["tpu"]}, {"capabilities": ["gpu"]}],
    ],
)
def test_a_gpu_on_a_host_without_a_driver_is_refused(devices: list[dict[str, Any]]) -> None:
    service = {"deploy": {"resources": {"reservations": {"devices": devices}}}}
    (problem,) = host_limits.problems("h", {"web": service}, {"gpus": False}, {"web"})
    assert "asks for a GPU" in str(problem)
    for knows in ({"gpus": True}, {}):
        assert not list(host_limits.problems("h", {"web": service}, knows, {"web"}))
    assert not list(host_limits.problems("h", {"web": {"deploy": {}}}, {"gpus": False}, {"web"}))

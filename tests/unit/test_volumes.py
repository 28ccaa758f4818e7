"""The data of a stack in its plan: who waits for whom, what would be lost, what is shared."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.host import holds, resources
from maestro.plan import compare, describe, records, volumes
from maestro.release import manifest
from maestro.release.render import Rendered
from maestro.stack import data

Change = Callable[[dict[str, Any]], Any]
NAMELESS = "d" * 64


def running(model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A host that runs a model, with what its containers hold."""
    state = models.running(model, **changes)
    for item in state["containers"]:
        facts = state["release"]["services"][item["service"]]
        item["holds"] = facts["holds"]
        item["nameless"] = dict.fromkeys([*facts["nameless"], *facts["throw_away"]], NAMELESS)
    return state


def reviewed(
    model: dict[str, Any], state: dict[str, Any], *, accept: bool = False, **changes: Any
) -> tuple[records.Plan, list[str]]:
    """The plan with its warnings, and what is refused."""
    release = models.rendered(model, **changes)
    extension = model["x-maestro"]
    wish = {"stack": "shop", "version": "v2", "extension": extension, "routes": []}
    images = changes.get("images") or models.images(model)
    plan = compare.decide("a", "staging", release, state, images=images, wish=wish)
    view = volumes.View(plan, release, state, volumes.routed(extension.get("routes") or []))
    return plan, [str(problem) for problem in volumes.review(view, accept=accept)]


def renamed(model: dict[str, Any], old: str = "db", new: str = "database") -> dict[str, Any]:
    model["services"][new] = model["services"].pop(old)
    for service in model["services"].values():
        needs = service.get("depends_on") or {}
        if old in needs:
            needs[new] = needs.pop(old)
    return model


def with_volume(model: dict[str, Any], path: str = "/cache") -> dict[str, dict[str, Any]]:
    """What the registry says where the web service's image has a volume."""
    images = models.images(model)
    for reference, image in images.items():
        image["volumes"] = [path] if "shop-web" in reference else []
    return images


# Who waits for whom


def test_a_renamed_writer_stops_first_and_the_plan_says_so() -> None:
    model = renamed(models.shop())
    model["volumes"]["database"] = model["volumes"].pop("data")
    model["services"]["database"]["volumes"][0]["source"] = "database"
    plan, refused = reviewed(model, running(models.shop()))
    assert refused == []
    assert plan.warnings == [
        (
            "db stops before database starts: both hold the volume shop_data; "
            "until then neither of them answers"
        )
    ]
    assert f"    warning   {plan.warnings[0]}" in describe.describe([plan], "0")


@pytest.mark.parametrize(("networks", "stays"), [(["shop_default"], True), ([], False)])
def test_who_is_replaced_for_its_network_makes_way(networks: list[str], stays: bool) -> None:
    """The roll decides the same: it does not count as wanted there either."""
    model = models.shop()
    state = running(model)
    state["containers"][0] |= {"networks": networks}
    plan, _ = reviewed(model, state)
    view = volumes.View(plan, models.rendered(model), state)
    assert volumes._holder(view, state["containers"][0]).stays is stays


def test_start_first_by_the_file_lets_both_run() -> None:
    model = renamed(models.shop())
    model["services"]["database"]["deploy"]["update_config"] = {"order": "start-first"}
    plan, refused = reviewed(model, running(models.shop()))
    assert (plan.warnings, refused) == ([], [])


def test_a_path_is_one_whatever_link_leads_to_it() -> None:
    before, after = models.shop(), renamed(models.shop())
    for model, path in ((before, "/srv/db"), (after, "/data/db")):
        for service in model["services"].values():
            if service.get("volumes"):
                service["volumes"] = [{"type": "bind", "source": path, "target": "/data"}]
    state = {**running(before), "paths": {"/data/db": "/srv/db"}}
    plan, _ = reviewed(after, state)
    assert "both hold the path /srv/db" in plan.warnings[0]


def test_what_is_kept_waits_for_nobody() -> None:
    plan, refused = reviewed(models.shop("v2"), running(models.shop("v1")))
    assert (plan.warnings, refused) == ([], [])


# The default order


def routed(order: str = "", **mount: Any) -> dict[str, Any]:
    model = models.shop("v2")
    web = model["services"]["web"]
    web.update(volumes=[{"type": "volume", "source": "data", "target": "/x", **mount}], ports=[])
    if order:
        web["deploy"]["update_config"] = {"order": order}
    model["x-maestro"]["routes"] = [{"service": "web", "port": 8000}]
    return model


@pytest.mark.parametrize(
    ("model", "order", "said"),
    [
        (routed(), "stop-first", True),
        (routed("start-first"), "start-first", False),
        (routed("stop-first"), "stop-first", False),
        (routed(read_only=True), "start-first", False),
        (routed(type="bind", source="/srv/x"), "stop-first", True),
        (routed(type="bind", source="/srv/x", read_only=True), "start-first", False),
        (routed(type="tmpfs", source=None), "start-first", False),
    ],
)
def test_a_routed_writer_stops_first(model: dict[str, Any], order: str, said: bool) -> None:
    old = copy.deepcopy(model)
    old["services"]["web"]["environment"] = {"OLD": "1"}
    plan, _ = reviewed(model, running(old))
    (step,) = [step for step in plan.steps if step.service == "web"]
    assert (step.action, step.order) == ("replace", order)
    what = "path /srv/x" if "bind" in str(model["services"]["web"]) else "volume shop_data"
    assert [w for w in plan.warnings if w.startswith("web stops before its new")] == (
        [
            (
                f"web stops before its new container starts, because it writes the {what}: "
                "its requests fail meanwhile; if two can run at once, set "
                "services.web.deploy.update_config.order: start-first"
            )
        ]
        if said
        else []
    )


def test_replicas_and_migrations_that_share_data_are_the_file_s_word() -> None:
    model = models.shop("v2")
    model["services"]["db"]["deploy"]["replicas"] = 2
    model["services"]["migrate"]["volumes"] = list(model["services"]["db"]["volumes"])
    plan, refused = reviewed(model, running(models.shop()))
    assert refused == []
    assert plan.warnings == [
        "2 containers of db write the volume shop_data at the same time",
        (
            "the migration migrate writes the volume shop_data while db of the old release still "
            "runs with it"
        ),
    ]


# Volumes without a name


def test_a_volume_without_a_name_stops_first_and_is_named() -> None:
    model = models.shop("v2")
    model["services"]["web"]["ports"] = []
    model["x-maestro"]["routes"] = [{"service": "web", "port": 8000}]
    release = models.rendered(model, images=with_volume(model))
    facts = release.services["web"]
    assert (facts["nameless"], facts["exchange"]["update"]["order"]) == (["/cache"], "stop-first")
    plan, refused = reviewed(model, models.bare(), images=with_volume(model))
    assert refused == []
    assert "web keeps /cache in a volume without a name" in plan.warnings[0]
    assert 'x-maestro.throw_away: {web: ["/cache"]}' in plan.warnings[0]


MOUNTED: dict[str, dict[str, Any]] = {
    "named": {"volumes": [{"type": "volume", "source": "data", "target": "/cache/"}]},
    "bound": {"volumes": [{"type": "bind", "source": "/srv/x", "target": "/cache"}]},
    "in memory": {"volumes": [{"type": "tmpfs", "target": "/cache"}]},
    "in memory, short": {"tmpfs": ["/cache:size=1m"]},
    "in memory, one": {"tmpfs": "/cache"},
}


@pytest.mark.parametrize("keys", MOUNTED.values(), ids=MOUNTED)
def test_what_is_mounted_needs_no_volume_of_the_image(keys: dict[str, Any]) -> None:
    model = models.shop()
    model["services"]["web"].update(keys)
    assert models.rendered(model, images=with_volume(model)).services["web"]["nameless"] == []


def test_compose_s_own_volume_without_a_name_and_what_is_thrown_away() -> None:
    model = models.shop()
    model["services"]["web"]["volumes"] = [{"type": "volume", "target": "/own", "volume": {}}]
    assert models.rendered(model).services["web"]["nameless"] == ["/own"]
    model["x-maestro"]["throw_away"] = {"web": ["/own/"]}
    facts = models.rendered(model).services["web"]
    assert (facts["nameless"], facts["throw_away"]) == ([], ["/own"])


def test_start_first_with_a_volume_without_a_name_is_refused() -> None:
    model = models.shop()
    model["services"]["web"]["ports"] = []
    model["services"]["web"]["deploy"]["update_config"] = {"order": "start-first"}
    images = with_volume(model)
    (problem,) = reviewed(model, models.bare(), images=images)[1]
    assert "found order: start-first, but web keeps /cache in a volume without a name" in problem
    assert "services.web.deploy.update_config" in problem
    assert reviewed(model, models.bare(), images=images, accept=True)[1] == [problem]
    model["x-maestro"]["throw_away"] = {"web": ["/cache"]}
    assert reviewed(model, models.bare(), images=images)[1] == []


def test_what_is_said_of_start_first_is_what_the_plan_takes() -> None:
    model = models.shop("v2")
    model["services"]["web"]["ports"] = []
    model["x-maestro"]["routes"] = [{"service": "web", "port": 8000}]
    images, old = with_volume(model), copy.deepcopy(model)
    old["services"]["web"]["environment"] = {"OLD": "1"}
    (said,) = (
        warning
        for warning in reviewed(model, running(old, images=images), images=images)[0].warnings
        if warning.startswith("web stops before its new container starts")
    )
    assert 'if two can run at once, mount a named volume there (volumes: ["NAME:/cache"])' in said


def _mounted(model: dict[str, Any], service: str = "web") -> None:
    model["services"][service]["volumes"] = MOUNTED["named"]["volumes"]


def _without(model: dict[str, Any]) -> None:
    for service in model["services"].values():
        service["image"] = service["image"].replace("shop-web:v1", "plain:1")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_mounted, "/cache of web was a volume without a name and would become"),
        (_without, "/cache of web was a volume without a name and would become nothing"),
        (
            lambda model: renamed(model, "web", "site"),
            "web is removed and site is added: what web keeps in /cache",
        ),
        (
            lambda model: _mounted(renamed(model, "web", "site"), "site"),
            "web is removed and site is added: what web keeps in /cache",
        ),
    ],
)
def test_data_without_a_name_that_would_not_go_along(change: Change, what: str) -> None:
    before, after = models.shop(), models.shop()
    state = running(before, images=with_volume(before))
    change(after)
    (problem,) = reviewed(after, state, images=with_volume(after))[1]
    assert what in problem
    assert "-e accept_volume_change=true" in problem
    plan, refused = reviewed(after, state, images=with_volume(after), accept=True)
    assert refused == []
    assert any(warning.startswith("accepted: ") for warning in plan.warnings)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model["services"]["web"].update(tmpfs=["/cache"]),
        lambda model: model["x-maestro"].update(throw_away={"web": ["/cache"]}),
        lambda model: model["services"].pop("web"),
    ],
)
def test_data_without_a_name_that_nobody_wants(change: Change) -> None:
    before, after = models.shop(), models.shop()
    state = running(before, images=with_volume(before))
    change(after)
    assert reviewed(after, state, images=with_volume(after))[1] == []


# Named volumes


def _renamed(model: dict[str, Any]) -> None:
    model["volumes"]["data"]["name"] = "shop_fresh"


def _another(model: dict[str, Any]) -> None:
    model["services"]["db"]["volumes"][0]["source"] = "unused"


def _bound(model: dict[str, Any]) -> None:
    model["services"]["db"]["volumes"] = [{"type": "bind", "source": "/srv", "target": "/data"}]


def _dropped(model: dict[str, Any]) -> None:
    model["services"]["db"]["volumes"] = []


@pytest.mark.parametrize(
    ("change", "now"),
    [
        (_renamed, "shop_fresh"),
        (_another, "shop_unused"),
        (_bound, "bind /srv"),
        (_dropped, "nothing"),
    ],
)
def test_a_service_must_find_its_data(change: Any, now: str) -> None:
    model = models.shop()
    recorded = models.rendered(model).compose
    change(model)
    (problem,) = volumes.moved("a", recorded, models.rendered(model).compose)
    assert problem.what.startswith(f"/data was the volume shop_data and would become {now}:")
    assert problem.where == "a: services.db.volumes"
    assert "-e accept_volume_change=true" in problem.fix


def _elsewhere(model: dict[str, Any]) -> None:
    model["services"]["db"]["volumes"][0]["target"] = "/elsewhere"


def _removed(model: dict[str, Any]) -> None:
    del model["services"]["db"]


def _taken_over(model: dict[str, Any]) -> None:
    model["services"]["web"]["volumes"] = model["services"]["db"].pop("volumes")


@pytest.mark.parametrize("change", [lambda _: None, _elsewhere, _removed, _taken_over])
def test_what_leaves_the_data_where_it_is(change: Any) -> None:
    model = models.shop()
    recorded = models.rendered(model).compose
    change(model)
    assert volumes.moved("a", recorded, {"services": model["services"], **model}) == []
    assert volumes.moved("a", {}, models.rendered(models.shop()).compose) == []


def test_a_path_is_the_same_with_a_slash_at_its_end() -> None:
    model = models.shop()
    recorded = models.rendered(model).compose
    # Another service still mounts the volume, so that it is not one that nobody has any more.
    model["services"]["web"]["volumes"] = copy.deepcopy(model["services"]["db"]["volumes"])
    (mount,) = model["services"]["db"]["volumes"]
    mount["target"] += "/"
    assert volumes.moved("a", recorded, models.rendered(model).compose) == []
    mount["source"] = "unused"
    (problem,) = volumes.moved("a", recorded, models.rendered(model).compose)
    assert problem.what.startswith("/data was the volume shop_data and would become")


def test_going_back_does_not_ask_for_a_volume_that_the_older_release_never_had() -> None:
    model = models.shop()
    recorded = models.rendered(model).compose
    _dropped(model)
    assert volumes.moved("a", recorded, models.rendered(model).compose, dropped=False) == []


def test_a_volume_that_nothing_mounts_any_more_is_named() -> None:
    model = models.shop()
    for service in model["services"].values():
        service.pop("depends_on", None)
    state = running(model)
    after = copy.deepcopy(model)
    _removed(after)
    plan, refused = reviewed(after, state)
    assert refused == []
    assert plan.warnings == [
        "the volume shop_data stays on the host, and no service of the release mounts it"
    ]


def _renamed_with(volume: dict[str, Any] | None) -> Change:
    """The database under another name, with another key of its volume."""

    def change(model: dict[str, Any]) -> None:
        (mount,) = renamed(model)["services"]["database"]["volumes"]
        mount["source"] = "rows" if volume else ""
        model["volumes"] = {"rows": volume} if volume else {}

    return change


def _of_another_image(model: dict[str, Any]) -> None:
    _renamed_with({"name": "shop_rows"})(model)
    model["services"]["database"]["image"] = "registry.test:5000/minio:1"


@pytest.mark.parametrize(
    ("change", "there", "becomes"),
    [
        (_renamed_with({"name": "shop_rows"}), "", "shop_rows"),
        (_renamed_with(None), "", "a new volume without a name"),
        (_renamed_with({"name": "shop_data"}), "", ""),
        (_renamed_with({"name": "shop_rows"}), "shop_rows", ""),  # copied there before
        (_of_another_image, "", ""),
    ],
)
def test_a_renamed_service_does_not_begin_with_an_empty_volume(
    change: Change, there: str, becomes: str
) -> None:
    model = models.shop()
    state = running(model)
    state["resources"] = {"volumes": {there: {"name": there}}} if there else {}
    change(model)
    refused = reviewed(model, state)[1]
    said = f"/data was the volume shop_data and would become {becomes}, which is empty"
    assert [said in problem for problem in refused] == [True] * bool(becomes)
    if becomes:
        plan, refused = reviewed(model, state, accept=True)
        assert refused == []
        assert any(said in warning for warning in plan.warnings)


# Other owners


def other(*found: holds.Hold, project: str = "blog") -> dict[str, Any]:
    return {
        "container": "blog-db-1",
        "project": project,
        "service": "db",
        "holds": holds.dump(found),
    }


DATA = holds.Hold(holds.VOLUME, "shop_data")


def test_a_volume_that_another_stack_still_writes_is_refused_with_both_owners() -> None:
    state = {**models.bare(), "others": [other(DATA)]}
    (problem,) = reviewed(models.shop(), state)[1]
    assert (
        "the volume shop_data would be written by shop/db while blog/db (container blog-db-1) "
        "still writes it"
    ) in problem
    state["others"] = [other(DATA, project="")]
    assert "the container blog-db-1 still writes it" in reviewed(models.shop(), state)[1][0]
    assert reviewed(models.shop(), state, accept=True)[1] == []


def test_what_is_shared_or_was_so_before_is_not_refused() -> None:
    shared = {"blog": {"shared_volumes": ["shop_data"]}}
    state = {**models.bare(), "others": [other(DATA)], "neighbours": shared}
    assert reviewed(models.shop(), state)[1] == []
    state = {**running(models.shop()), "others": [other(DATA)]}
    model = models.shop()
    model["services"]["db"]["environment"] = {"NEW": "1"}
    plan, refused = reviewed(model, state)
    assert refused == []
    assert plan.warnings == [
        "db writes the volume shop_data, and so does blog/db (container blog-db-1)"
    ]
    assert reviewed(models.shop(), state)[0].warnings == []


# Older releases


def test_what_an_older_manifest_does_not_say_is_read_from_its_file() -> None:
    model = models.shop()
    release: Rendered = models.rendered(model)
    for facts in release.services.values():
        for key in ("holds", "nameless", "throw_away", "order"):
            del facts[key]
        facts["exchange"]["update"]["order"] = "start-first"
    volumes.complete(release)
    assert release.services["db"]["holds"] == holds.dump([DATA])
    assert release.services["db"]["exchange"]["update"]["order"] == "stop-first"
    assert release.services["web"]["exchange"]["update"]["order"] == "start-first"
    assert manifest.config_hash(release) == manifest.config_hash(models.rendered(model))


def test_a_volume_of_one_letter_is_no_volume() -> None:
    def found(target: str) -> list[MaestroError]:
        service = {"volumes": [{"type": "volume", "target": target}]}
        return list(data.problems({"web": service}, "shop"))

    (problem,) = found("d:/data")
    assert problem.what == "d:/data is not a path in a container: it does not begin with /"
    assert problem.where == "shop/compose.yaml: services.web.volumes"
    assert found("/data") == []


def test_a_volume_that_is_lost_is_not_begun_anew_without_a_word() -> None:
    def there(*names: str, there: bool = False) -> dict[str, Any]:
        found = resources.Resources(volumes={name: resources.Volume(name) for name in names})
        state = {**running(models.shop()), "resources": found.as_dict()}
        kept = [item for item in state["containers"] if there or item["service"] != "db"]
        return {**state, "containers": kept}

    lost = "the volume shop_data is no longer on the host: db would start with an empty one"
    _, refused = reviewed(models.shop(), there("other"))
    assert [problem.partition("\n")[0] for problem in refused] == [
        f"a: services.db.volumes: {lost}"
    ]
    plan, refused = reviewed(models.shop(), there("other"), accept=True)
    assert (refused, plan.warnings) == ([], [f"accepted: {lost}"])
    # One that is there, one that nobody begins to use, and one that no release had.
    for state in (there("shop_data"), there("other", there=True), {**there("x"), "file": {}}):
        assert reviewed(models.shop(), state)[1] == []
    # The release that is gone back to had its volumes, whatever serves now.
    release = models.rendered(models.shop())
    state = {**there("other"), "file": {}}
    wish = {"stack": "shop", "version": "v2", "extension": {}, "routes": []}
    images = models.images(models.shop())
    plan = compare.decide("a", "staging", release, state, images=images, wish=wish)
    (problem,) = volumes.review(volumes.View(plan, release, state, back=True))
    assert problem.what == lost

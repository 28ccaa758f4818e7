"""Going back to a kept release, decided from what the hosts recorded."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models
import yaml
from release_models import FIRST, SECOND, THIRD, host, release, two

from maestro.errors import MaestroError, MaestroErrors
from maestro.host.resources import Resources, Volume
from maestro.host.rules import ROLLBACK
from maestro.plan import describe, rollback
from maestro.plan.rollout import Decision
from maestro.release import recorded
from maestro.release.hashes import hash_of


def decide(states: dict[str, dict[str, Any]], **asked: Any) -> Decision:
    return rollback.decide(rollback.Asked("shop", "staging", **asked, run=models.run()), states)


def refused(states: dict[str, dict[str, Any]], **asked: Any) -> MaestroError:
    with pytest.raises(MaestroError) as caught:
        decide(states, **asked)
    return caught.value


# Which release


def test_the_release_before_comes_back() -> None:
    decision = decide({"a": two(), "b": two()})
    assert decision.kind == ROLLBACK
    assert decision.answer()["together"]
    assert decision.waves == [["a", "b"]]
    for name in ("a", "b"):
        work = decision.hosts[name]
        assert (work["release"], work["staged"]) == (FIRST, "")
        assert work["levels"] == [["web"]], "the database is the same in both"
        assert work["smoke"] == [{"tcp": {"port": 8000}}]
        assert work["migrations"] == []
        assert work["manifest"]["id"] == FIRST
        assert work["plan"]["release"] == SECOND, "what is put back when it fails"
    answer = decision.answer()
    assert (answer["fetches"], answer["migrates"]) == (False, False)
    assert answer["changing"] == ["a", "b"]
    text = describe.describe(decision.plans, decision.digest, (), decision.notes)
    assert text.startswith("shop on a, b (staging): v2 -> v1\n")
    assert f"    back to   release {FIRST}" in text.splitlines()


def test_the_networks_and_volumes_of_the_host_are_looked_at() -> None:
    """The state a rollback is decided on says less than that of a deploy."""
    state = {**two(), "resources": Resources({}, {"shop_data": Volume("shop_data")}).as_dict()}
    assert decide({"a": state}).hosts["a"]["levels"] == [["web"]]
    state["containers"] = [item for item in state["containers"] if item["service"] != "db"]
    state["resources"]["volumes"] = {}
    assert "the volume shop_data is no longer on the host" in refused({"a": state}).what


def test_the_plan_is_the_same_each_time_and_another_for_another_target() -> None:
    assert decide({"a": two()}).digest == decide({"a": two()}).digest
    three = [release(FIRST, "v1"), release(SECOND, "v1", FIRST), release(THIRD, "v2", SECOND)]
    digests = {decide({"a": host(*three, to=to)}, to=to).digest for to in (FIRST, SECOND)}
    assert len(digests) == 2


def test_a_release_that_differs_in_nothing_but_its_id_is_gone_back_to() -> None:
    decision = decide({"a": host(release(FIRST, "v1"), release(SECOND, "v1", FIRST))})
    assert decision.answer()["changing"] == ["a"]
    assert decision.hosts["a"]["levels"] == []


def test_where_it_serves_already_nothing_changes() -> None:
    state = host(release(FIRST, "v1"), release(SECOND, "v2", FIRST), serves=FIRST, to=FIRST)
    decision = decide({"a": state}, to=FIRST)
    assert decision.answer()["changing"] == []
    assert decision.answer()["fetches"] is False


def test_what_undoes_a_release_leaves_the_hosts_it_did_not_touch() -> None:
    untouched = host(release("20251231T120000Z-0000", "v1"), release(FIRST, "v2"))
    decision = decide({"a": two(), "b": untouched})
    assert decision.answer()["changing"] == ["a"]
    assert decision.hosts["b"]["release"] == FIRST


@pytest.mark.parametrize(
    ("state", "to", "what"),
    [
        (host(release(FIRST, "v1")), "", "the running release is the first one"),
        (two(), "nonsense", "release nonsense is not there"),
        (
            host(release(SECOND, "v2", FIRST)),
            "",
            f"release {FIRST}, the previous one, no longer exists",
        ),
    ],
)
def test_a_release_that_is_not_there(state: dict[str, Any], to: str, what: str) -> None:
    if to:
        state = {**state, "target": {}}
    error = refused({"a": state}, to=to)
    assert (error.what, error.where) == (what, "a")
    wanted = f"-e to={FIRST}   v1, deployed" if len(state["releases"]) > 1 else "no older release"
    assert wanted in error.fix


def test_a_host_without_the_stack_keeps_all_from_going_back() -> None:
    nothing = {**two(), "release": {}, "target": {}, "releases": {}}
    error = refused({"a": two(), "b": nothing})
    assert error.where == "b"
    assert "has not been deployed" in error.what


# What is missing


def test_an_image_that_is_gone_is_named_with_what_can_be_had() -> None:
    state = host(release(FIRST, "v1"), release(SECOND, "v2", FIRST), release(THIRD, "v3", SECOND))
    lost = models.digest("registry.test:5000/shop-web:v2")
    state["images"] = [image for image in state["images"] if not image.endswith(lost)]
    error = refused({"a": state})
    assert f"shop-web@{lost}" in error.what
    assert f"-e to={FIRST}" in error.fix
    assert f"-e to={SECOND}" not in error.fix


def test_a_file_that_was_edited_is_not_gone_back_to() -> None:
    state = two()
    document = yaml.safe_load(state["target_compose"])
    document["services"]["web"]["environment"]["GREETING"] = "edited"
    state["target_compose"] = yaml.safe_dump(document)
    error = refused({"a": state})
    assert error.what == "its compose.yaml was edited since: web"
    assert error.where == f"a: release {FIRST}"


def test_all_problems_of_all_hosts_are_told_at_once() -> None:
    error = refused({"a": {**two(), "target": {}}, "b": {**two(), "images": []}})
    assert isinstance(error, MaestroErrors)
    assert [problem.where for problem in error.problems] == ["a", "b"]


def test_another_volume_is_refused_here_as_well() -> None:
    moved = models.shop("v2")
    moved["volumes"]["data"]["name"] = "shop_fresh"
    states = {"a": two(model=moved)}
    assert "was the volume shop_fresh and would become shop_data" in refused(states).what
    assert decide(states, accept_volume_change=True).answer()["changing"] == ["a"]


# The database


def test_a_migration_without_a_way_back_is_refused_unless_told() -> None:
    state = host(
        release(FIRST, "v1"),
        release(SECOND, "v2", FIRST, breaking=["migrate"]),
        release(THIRD, "v3", SECOND),
    )
    assert decide({"a": state}).hosts["a"]["release"] == SECOND
    further = {
        **state,
        **{key: host(*_three(), to=FIRST)[key] for key in ("target", "target_compose")},
    }
    error = refused({"a": further}, to=FIRST)
    assert f"release {SECOND} ran migrate" in error.what
    assert "-e accept_schema=true" in error.fix
    decision = decide({"a": further}, to=FIRST, accept_schema=True)
    assert decision.hosts["a"]["release"] == FIRST
    assert f"the database stays as release {THIRD} (v3) left it" in decision.notes[0]


def _three() -> list[dict[str, Any]]:
    return [release(FIRST, "v1"), release(SECOND, "v2", FIRST), release(THIRD, "v3", SECOND)]


def test_no_word_on_the_database_where_no_migration_ran() -> None:
    state = two()
    state["releases"][SECOND]["migrated"] = []
    assert decide({"a": state}).notes == []


# Secrets a rotation destroyed


def rotated() -> dict[str, Any]:
    state = two(secret=SECOND, rotated=["db_password"])
    del state["versions"]["db_password"][FIRST]
    return state


def test_a_release_whose_secret_was_destroyed_is_made_anew_with_the_newest() -> None:
    decision = decide({"a": rotated(), "b": two()}, approved_by="kim")
    assert decision.answer()["fetches"] is True
    work = decision.hosts["a"]
    fresh = work["release"]
    assert fresh == work["staged"] == decision.hosts["b"]["release"]
    assert fresh not in (FIRST, SECOND)
    manifest = work["manifest"]
    assert manifest["id"] == fresh
    assert (manifest["version"], manifest["previous"]) == ("v1", "")
    assert manifest["rolled_back_to"] == FIRST
    assert manifest["secrets"] == {"db_password": SECOND}
    assert manifest["approved_by"] == "kim"
    assert (manifest["breaking"], manifest["rotated"]) == ([], [])
    assert {item["version"] for item in work["secret_files"]} == {SECOND}
    compose = yaml.safe_load(work["compose"])
    assert set(compose["secrets"]) == {f"db_password-{SECOND}-{uid}" for uid in (999, 1000)}
    for name, facts in work["services"].items():
        assert facts["hash"] == hash_of(compose["services"][name], compose)
    assert work["levels"] == [["web"]], "the database runs with the newest value already"
    assert any("the old one was destroyed" in note for note in decision.notes)
    assert decision.hosts["b"]["manifest"]["secrets"] == {"db_password": FIRST}


def test_the_hash_of_that_plan_is_the_same_each_time() -> None:
    assert decide({"a": rotated()}).digest == decide({"a": rotated()}).digest


def test_a_secret_of_which_nothing_is_left() -> None:
    state = rotated()
    state["release"]["secrets"] = {}
    state["versions"] = {}
    assert refused({"a": state}).what == "no version of the secret db_password is left"


# A release read again


def test_a_release_is_read_as_it_was_rendered() -> None:
    rendered = models.rendered(models.shop())
    found = release(FIRST, "v1", secret=models.RELEASE)
    again = recorded.read(found, recorded.document(found["text"]))
    assert again.compose == rendered.compose
    assert again.services == rendered.services
    assert again.order == rendered.order
    files = (again.secret_files, rendered.secret_files)
    assert sorted(map(str, files[0])) == sorted(map(str, files[1]))
    assert again.configs == rendered.configs
    assert {name: facts["hash"] for name, facts in again.migrations.items()} == found["migrations"]


def test_the_same_versions_make_the_same_release() -> None:
    found = release(FIRST, "v1")
    again = recorded.read(found, recorded.document(found["text"]))
    assert recorded.with_secrets(again, {}).compose == again.compose
    other = recorded.with_secrets(again, {"db_password": SECOND})
    assert other.compose == models.rendered(models.shop(), secrets={"db_password": SECOND}).compose


@pytest.mark.parametrize("text", ["", "[]", ":", "services: {}"])
def test_a_damaged_file_is_edited_in_all_services(text: str) -> None:
    found = recorded.edited(release(FIRST, "v1"), recorded.document(text))
    assert found == [
        "db",
        "migrate",
        "web",
    ]


def test_a_file_is_read_whatever_kind_of_text_it_is() -> None:
    """Ansible's text has tags, and libyaml reads plain text alone."""

    class Tagged(str):
        __slots__ = ()

    assert recorded.document(Tagged("services: {}")) == {"services": {}}

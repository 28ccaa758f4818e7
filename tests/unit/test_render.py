"""The release's own Compose file, from Compose's reading of the stack."""

from __future__ import annotations

import copy
import hashlib
import string
from typing import Any

import pytest
import stack_models as models
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import MaestroError, MaestroErrors
from maestro.host.files import File
from maestro.host.labels import HASH_LABEL
from maestro.plan.wanted import narrow
from maestro.release.order import needs_of
from maestro.stack.model import active_services, memory, plain_keys, replicas, unescaped

HEALTHY = {"condition": "service_healthy", "required": True}


def one(image: str = "one:1", **keys: Any) -> dict[str, Any]:
    """A model of a single service."""
    return stack(one=models.service(image, **keys))


def stack(**services: Any) -> dict[str, Any]:
    return {"name": "shop", "services": services, "networks": {"default": {"name": "shop_default"}}}


def hashes(model: dict[str, Any], **changes: Any) -> dict[str, str]:
    release = models.rendered(model, **changes)
    return {
        name: facts["hash"] for name, facts in {**release.services, **release.migrations}.items()
    }


# What stands in the release


def test_tags_are_digests() -> None:
    release = models.rendered(models.shop("v1"))
    web = models.digest("registry.test:5000/shop-web:v1")
    assert release.compose["services"]["web"]["image"] == f"registry.test:5000/shop-web@{web}"
    assert release.services["web"]["image"] == f"registry.test:5000/shop-web@{web}"
    assert release.migrations["migrate"]["image"] == f"registry.test:5000/shop-web@{web}"
    assert ":v1" not in release.text


def test_a_reference_with_a_digest_keeps_it() -> None:
    reference = f"{models.REGISTRY}/one:1@sha256:abc"
    release = models.rendered(
        one("one:1@sha256:abc"), images={reference: {"digest": "sha256:abc", "user": "", "size": 1}}
    )
    assert release.services["one"]["image"] == f"{models.REGISTRY}/one@sha256:abc"


def test_what_has_no_place_in_a_release_is_left_out() -> None:
    release = models.rendered(
        one(build={"context": "."}, profiles=["p"], develop={"watch": []}, pull_policy="always"),
        profiles=frozenset(["p"]),
    )
    assert set(release.compose["services"]["one"]) == {"image", "networks", "labels"}


def test_everything_else_stays_as_compose_reads_it() -> None:
    keys = {
        "environment": {"PRICE": "5$$", "EMPTY": ""},
        "command": ["echo", "$$HOME"],
        "labels": {"a": "b"},
        "ports": [{"mode": "ingress", "target": 1, "published": "2", "protocol": "tcp"}],
        "deploy": {"resources": {"limits": {"cpus": 0.5}}, "placement": {}},
        "read_only": True,
        "tmpfs": ["/tmp"],
    }
    release = models.rendered(one(**copy.deepcopy(keys)))
    found = yaml.safe_load(release.text)["services"]["one"]
    assert found.pop("labels") == {"a": "b", HASH_LABEL: release.services["one"]["hash"]}
    assert found == {
        **{key: value for key, value in keys.items() if key != "labels"},
        "image": release.services["one"]["image"],
        "networks": {"default": None},
    }


def test_a_key_with_a_dollar_is_written_as_the_file_says_it() -> None:
    """Compose writes it doubled and does not read it so: keys have no variables."""
    release = models.rendered(one(labels={"$${K}": "$${V}"}))
    assert yaml.safe_load(release.text)["services"]["one"]["labels"]["${K}"] == "$${V}"


def test_the_model_itself_is_not_touched() -> None:
    model = models.shop()
    before = copy.deepcopy(model)
    models.rendered(model)
    assert model == before


def test_only_what_is_used_is_defined() -> None:
    compose = models.rendered(models.shop()).compose
    assert set(compose["networks"]) == {"default"}
    assert set(compose["volumes"]) == {"data"}
    assert set(compose) == {"name", "services", "networks", "volumes", "secrets", "configs"}
    assert set(models.rendered(one(networks=None, network_mode="host")).compose) == {
        "name",
        "services",
    }


@pytest.mark.parametrize(
    "text",
    ["1e5", "0o17", "12e03", "-1e3", "+.5e3", ".5", "0x1F", "1_0", "09", "1:30", "2024-01-01"],
)
def test_text_that_looks_like_a_number_is_quoted(text: str) -> None:
    lines = models.rendered(one(environment={"X": text})).text.splitlines()
    (line,) = [line.strip() for line in lines if line.strip().startswith("X:")]
    assert line == f'X: "{text}"'


@pytest.mark.parametrize(
    "text", ["yes", "No", "null", "~", "true", "=", "<<", "", "a: b", "#", "*a"]
)
def test_text_that_means_something_else_in_yaml_is_quoted(text: str) -> None:
    found = models.rendered(one(environment={"X": text})).text
    assert f"X: '{text}'" in found
    assert yaml.safe_load(found)["services"]["one"]["environment"] == {"X": text}


def test_a_release_has_no_anchors() -> None:
    shared = {"a": "b"}
    text = models.rendered(
        stack(
            x=models.service("x:1", environment=shared), y=models.service("y:1", environment=shared)
        )
    ).text
    assert "&" not in text
    assert "*" not in text


# Which services


def test_profiles_choose_and_migrations_are_apart() -> None:
    model = models.shop()
    extension = model["x-maestro"]
    assert active_services(model, extension, []) == ["db", "web"]
    assert active_services(model, extension, ["debug"]) == ["db", "tool", "web"]
    assert active_services(model, extension, ["other"]) == ["db", "web"]
    assert set(narrow(model, extension, [])["services"]) == {"db", "web", "migrate"}
    assert narrow(model, extension, [])["volumes"] == model["volumes"]


def test_a_service_without_replicas_is_not_deployed() -> None:
    model = models.shop()
    model["services"]["db"]["deploy"]["replicas"] = 0
    model["services"]["migrate"]["deploy"] = {"replicas": 0}
    release = models.rendered(model)
    assert set(release.services) == {"web"}
    assert set(release.migrations) == {"migrate"}
    assert "depends_on" not in release.compose["services"]["web"]


def test_a_migration_waits_in_a_profile_of_its_own() -> None:
    release = models.rendered(models.shop())
    assert release.compose["services"]["migrate"]["profiles"] == ["maestro-migration"]
    assert release.compose["services"]["migrate"]["depends_on"] == {"db": HEALTHY}
    assert "migrate" not in [name for level in release.order for name in level]


def test_nothing_waits_for_a_migration_or_a_service_that_is_not_there() -> None:
    model = models.shop()
    model["services"]["web"]["depends_on"]["tool"] = HEALTHY
    assert models.rendered(model).compose["services"]["web"]["depends_on"] == {"db": HEALTHY}


def test_waiting_for_the_end_of_what_is_no_migration_makes_it_a_job() -> None:
    model = models.shop()
    model["x-maestro"]["migrations"] = []
    found = models.rendered(model)
    assert found.services["migrate"]["job"] == {"waited": True, "limit": 0, "patience": 0}
    assert [name for name, facts in found.services.items() if "job" in facts] == ["migrate"]


def test_what_never_ends_is_not_waited_for() -> None:
    model = models.shop()
    model["x-maestro"]["migrations"] = []
    model["services"]["migrate"]["restart"] = "always"
    with pytest.raises(MaestroError) as caught:
        models.rendered(model)
    assert caught.value.where == "shop/compose.yaml: services.web.depends_on.migrate"
    assert caught.value.what == (
        "waits until migrate has ended, but restart: always restarts it whenever it exits"
    )


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({}, 1),
        ({"scale": 3}, 3),
        ({"deploy": {"replicas": 2}}, 2),
        ({"deploy": {"replicas": 2}, "scale": 3}, 2),
        ({"deploy": {"replicas": 0}}, 0),
        ({"deploy": None, "scale": None}, 1),
    ],
)
def test_replicas(keys: dict[str, Any], count: int) -> None:
    assert replicas(keys) == count


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ({}, 0),
        ({"mem_limit": "1024"}, 1024),
        ({"deploy": {"resources": {"limits": {"memory": "2048"}}}}, 2048),
        ({"deploy": {"resources": {"limits": {"memory": "2048"}}, "replicas": 3}}, 6144),
        ({"deploy": {"resources": {"limits": {"cpus": 1}}}}, 0),
    ],
)
def test_memory(keys: dict[str, Any], size: int) -> None:
    assert memory(keys) == size


# Secrets


def test_a_secret_is_the_file_of_its_version_for_its_reader() -> None:
    release = models.rendered(models.shop(), secrets={"db_password": "r7"})
    services = release.compose["services"]
    assert services["db"]["secrets"] == [
        {"source": "db_password-r7-999", "target": "/run/secrets/db_password"}
    ]
    assert services["web"]["secrets"] == [
        {"source": "db_password-r7-1000", "target": "/run/secrets/db_password"}
    ]
    assert release.compose["secrets"] == {
        "db_password-r7-999": {"file": "/opt/maestro/shop/secrets/db_password/r7/999"},
        "db_password-r7-1000": {"file": "/opt/maestro/shop/secrets/db_password/r7/1000"},
    }
    assert release.secret_files == [
        {"name": "db_password", "version": "r7", "uid": 999},
        {"name": "db_password", "version": "r7", "uid": 1000},
    ]


@pytest.mark.parametrize(
    ("user", "owner", "image_user", "uid"),
    [
        ("5", None, "1000", 5),
        ("5:6", 7, "1000", 5),
        (None, 7, "1000", 7),
        (None, 0, "1000", 0),
        (None, None, "1000", 1000),
        (None, None, "1000:1000", 1000),
        (None, None, "", 0),
        ("app", 7, "1000", 7),
        ("app:app", 7, "", 7),
        (None, 7, "app", 7),
    ],
)
def test_whose_a_secret_s_file_is(
    user: str | None, owner: int | None, image_user: str, uid: int
) -> None:
    model = one(secrets=[{"source": "s", "target": "/t"}])
    if user is not None:
        model["services"]["one"]["user"] = user
    owners = {} if owner is None else {"secret_owners": {"one": owner}}
    release = models.rendered(
        model, extension=owners, images=models.images(model, image_user), secrets={"s": "r1"}
    )
    assert [item["uid"] for item in release.secret_files] == [uid]


@pytest.mark.parametrize(
    ("user", "image_user", "named"),
    [("app", "1000", "'app'"), ("app:0", "", "'app:0'"), (None, "app", "'app'")],
)
def test_a_reader_known_by_name_only(user: str | None, image_user: str, named: str) -> None:
    model = one(secrets=[{"source": "s", "target": "/t"}])
    if user is not None:
        model["services"]["one"]["user"] = user
    asked = {"images": models.images(model, image_user), "secrets": {"s": "r1"}}
    with pytest.raises(MaestroError) as caught:
        models.rendered(model, **asked)
    assert caught.value.where == "shop/compose.yaml: services.one"
    assert caught.value.what == f"reads secrets as user {named}, whose uid is not known"
    assert 'user: "UID:GID"' in caught.value.fix
    assert "x-maestro.secret_owners.one: UID" in caught.value.fix


def test_all_readers_known_by_name_only_at_once() -> None:
    secret = [{"source": "s", "target": "/t"}]
    model = stack(
        a=models.service("a:1", secrets=secret),
        b=models.service("b:1", secrets=secret, user="5"),
        c=models.service("c:1", secrets=secret),
    )
    with pytest.raises(MaestroErrors) as caught:
        models.rendered(model, images=models.images(model, "app"), secrets={"s": "r1"})
    assert [problem.where for problem in caught.value.problems] == [
        "shop/compose.yaml: services.a",
        "shop/compose.yaml: services.c",
    ]


def test_a_secret_of_an_included_file() -> None:
    with pytest.raises(MaestroError) as caught:
        models.rendered(one(user="5", secrets=[{"source": "s"}]), secrets={})
    assert caught.value.where == "shop/compose.yaml: secrets.s"
    assert "list it in the service itself" in caught.value.fix


def test_readers_with_one_uid_share_a_file() -> None:
    secret = [{"source": "s"}]
    model = stack(
        a=models.service("a:1", secrets=secret, user="5"),
        b=models.service("b:1", secrets=secret, user="5:9"),
    )
    release = models.rendered(model, secrets={"s": "r1"})
    assert release.secret_files == [{"name": "s", "version": "r1", "uid": 5}]
    assert release.compose["services"]["a"]["secrets"] == [{"source": "s-r1-5", "target": "s"}]


# Configuration files


def test_a_config_is_named_by_its_content() -> None:
    release = models.rendered(models.shop())
    file = models.FILES["config/settings.json"]
    digest = hashlib.sha256(b'{"colour": "blue"}\n').hexdigest()[:16]
    assert release.compose["configs"] == {
        f"settings-{digest}": {"file": f"/opt/maestro/shop/configs/settings/{digest}"}
    }
    assert release.compose["services"]["web"]["configs"] == [
        {"source": f"settings-{digest}", "target": "/etc/shop.json"}
    ]
    assert release.configs == {"settings": [digest]}
    assert release.config_files == {"settings": {digest: file}}


def test_a_config_without_a_target_keeps_compose_s() -> None:
    model = one(configs=[{"source": "a"}])
    model["configs"] = {"a": {"name": "shop_a", "content": "text"}}
    (config,) = models.rendered(model).compose["services"]["one"]["configs"]
    assert config["target"] == "/a"


def test_an_inline_config_says_what_it_means() -> None:
    model = one(configs=[{"source": "a", "target": "/a"}])
    model["configs"] = {"a": {"name": "shop_a", "content": "costs 5$$"}}
    (file,) = models.rendered(model).config_files["a"].values()
    assert File.from_json(file) == File(b"costs 5$", 0o444)


def test_a_config_nobody_reads_is_left_out() -> None:
    model = models.shop()
    model["configs"]["unused"] = {"name": "u", "external": True}
    assert set(models.rendered(model).configs) == {"settings"}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"external": True}, "external"),
        ({"environment": "HOME"}, "environment"),
        ({"file": "./gone.json"}, "file"),
        ({}, "nothing"),
    ],
)
def test_a_config_whose_text_is_not_known(config: dict[str, Any], found: str) -> None:
    model = one(configs=[{"source": "a", "target": "/a"}])
    model["configs"] = {"a": {"name": "a", **config}}
    with pytest.raises(MaestroError) as caught:
        models.rendered(model)
    assert caught.value.where == "shop/compose.yaml: configs.a"
    assert caught.value.what.endswith(f"found {found}")
    assert "allowed: `file:`" in caught.value.fix


# Order


def needing(**needs: list[str]) -> dict[str, Any]:
    return stack(
        **{
            name: models.service(f"{name}:1", depends_on=dict.fromkeys(others, HEALTHY))
            for name, others in needs.items()
        }
    )


def test_services_start_in_levels() -> None:
    model = needing(web=["api"], api=["db", "cache"], db=[], cache=[], lone=[])
    assert models.rendered(model).order == [["cache", "db", "lone"], ["api"], ["web"]]


def test_a_circle_is_refused_with_its_members() -> None:
    with pytest.raises(MaestroError) as caught:
        models.rendered(needing(a=["b"], b=["c"], c=["a"], d=[]))
    assert caught.value.where == "shop/compose.yaml: depends_on"
    assert set(caught.value.what.partition(": ")[2].split(" -> ")) == {"a", "b", "c"}


def test_what_a_migration_needs() -> None:
    model = needing(migrate=["api", "gone"], web=["api"], api=["db"], db=[], lone=[])
    order = models.rendered(model).order
    assert needs_of(model, "migrate", order) == [["db"], ["api"]]
    assert needs_of(model, "lone", order) == []


def test_what_a_circle_needs_ends() -> None:
    model = needing(a=["b"], b=["a"])
    assert needs_of(model, "a", [["a"], ["b"]]) == [["a"], ["b"]]


# The hash


def test_dollars_are_written_once() -> None:
    assert unescaped({"a": ["$$x", {"b": "$$$$"}], "c": 1, "d": None}) == {
        "a": ["$x", {"b": "$$"}],
        "c": 1,
        "d": None,
    }


CHANGES: dict[str, Any] = {
    "image": lambda m: m["services"]["web"].update(image="registry.test:5000/shop-web:v2"),
    "command": lambda m: m["services"]["web"].update(command=["other"]),
    "environment": lambda m: m["services"]["web"]["environment"].update(GREETING="bye"),
    "user": lambda m: m["services"]["web"].update(user="7:7"),
    "labels": lambda m: m["services"]["web"].update(labels={"a": "b"}),
    "limits": lambda m: m["services"]["web"]["deploy"].update(resources={}),
    "ports": lambda m: m["services"]["web"]["ports"][0].update(published="9000"),
    "healthcheck": lambda m: m["services"]["web"]["healthcheck"].update(interval="1s"),
    "target": lambda m: m["services"]["web"]["configs"][0].update(target="/other"),
    "content": lambda m: m["configs"].update(settings={"content": "other"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_shapes_a_container_changes_its_hash_alone(change: str) -> None:
    model = models.shop()
    before = hashes(model)
    CHANGES[change](model)
    after = hashes(model)
    assert {name for name in before if before[name] != after[name]} == {"web"}


def test_a_changed_definition_changes_those_who_use_it() -> None:
    model = models.shop()
    before = hashes(model)
    model["volumes"]["data"]["name"] = "other"
    model["volumes"]["unused"]["name"] = "other"
    model["networks"]["unused"]["name"] = "other"
    after = hashes(model)
    assert {name for name in before if before[name] != after[name]} == {"db"}


@pytest.mark.parametrize(
    "change",
    [
        {"depends_on": {}},
        {"build": {"context": "./elsewhere"}},
        {"pull_policy": "always"},
        {"profiles": ["p"]},
        {"scale": 4},
        {"develop": {}},
        {
            "deploy": {
                "resources": {"limits": {"memory": "67108864"}},
                "placement": {},
                "replicas": 3,
            }
        },
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_what_does_not_shape_a_container_keeps_its_hash(change: dict[str, Any]) -> None:
    model = models.shop()
    before = hashes(model)
    model["services"]["web"].update(change)
    assert hashes(model, profiles=frozenset("p")) == before


def test_the_order_of_keys_says_nothing() -> None:
    model = models.shop()
    turned = copy.deepcopy(model)
    web = turned["services"]["web"]
    web["environment"] = dict(reversed(web["environment"].items()))
    turned["services"]["web"] = dict(reversed(web.items()))
    assert hashes(turned) == hashes(model)
    assert models.rendered(turned).text == models.rendered(model).text


def test_a_secret_s_new_version_changes_its_readers() -> None:
    model = models.shop()
    before, after = hashes(model), hashes(model, secrets={"db_password": "r2"})
    assert all(before[name] != after[name] for name in before)
    model["services"]["web"]["secrets"] = None
    before, after = hashes(model), hashes(model, secrets={"db_password": "r2"})
    assert {name for name in before if before[name] != after[name]} == {"db", "migrate"}


# Each example renders twice; the machine may be busy with other tests.
few = settings(max_examples=40, deadline=None)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=4)
SCALARS = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.dictionaries(
    st.sampled_from(["environment", "command", "labels2", "sysctls", "x"]), VALUES
)


@st.composite
def stacks(draw: st.DrawFn) -> dict[str, Any]:
    """Up to six services; each may need those before it."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    services = {}
    for number, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        services[name] = models.service(
            f"{name}:1", depends_on=dict.fromkeys(needs, HEALTHY), **draw(KEYS)
        )
    return stack(**services)


@few
@given(stacks())
def test_rendering_twice_gives_the_same_release(model: dict[str, Any]) -> None:
    first, second = models.rendered(copy.deepcopy(model)), models.rendered(model)
    assert first.text == second.text
    assert first.services == second.services


@few
@given(stacks())
def test_the_text_says_what_was_rendered(model: dict[str, Any]) -> None:
    release = models.rendered(model)
    assert yaml.safe_load(release.text) == release.compose


@few
@given(stacks(), st.data())
def test_a_change_in_one_service_is_nobody_else_s(
    model: dict[str, Any], data: st.DataObject
) -> None:
    before = hashes(model)
    name = data.draw(st.sampled_from(sorted(model["services"])))
    model["services"][name]["environment"] = {"SURELY": "changed"}
    model["services"][name]["hostname"] = "changed"
    after = hashes(model)
    assert {other for other in before if before[other] != after[other]} == {name}


@few
@given(stacks(), st.data())
def test_a_new_service_is_nobody_else_s(model: dict[str, Any], data: st.DataObject) -> None:
    before = hashes(model)
    model["services"]["newcomer"] = models.service("new:1", **data.draw(KEYS))
    after = hashes(model)
    assert {name: after[name] for name in before} == before


@few
@given(stacks(), st.data())
def test_needs_are_a_part_of_the_order(model: dict[str, Any], data: st.DataObject) -> None:
    order = models.rendered(model).order
    assert sorted(name for level in order for name in level) == sorted(model["services"])
    started: set[str] = set()
    for level in order:
        for name in level:
            assert set(model["services"][name]["depends_on"]) <= started
        started |= set(level)
    service = data.draw(st.sampled_from(sorted(model["services"])))
    needs = needs_of(model, service, order)
    flat = [name for level in needs for name in level]
    assert flat == [name for level in order for name in level if name in set(flat)]
    assert set(model["services"][service]["depends_on"]) <= set(flat)
    for name in flat:
        assert set(model["services"][name]["depends_on"]) <= set(flat)


def test_a_dollar_in_a_key_is_taken_apart_once() -> None:
    """Compose doubles it in keys and in values; a release's file has doubled values alone."""
    plain = plain_keys({"labels": {"a$$$$b": "c$$d"}})
    assert plain == {"labels": {"a$$b": "c$$d"}}
    assert unescaped(plain) == {"labels": {"a$$b": "c$d"}}

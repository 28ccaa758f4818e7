"""What the hash of a plan covers, what it does not depend on, and how a difference is named."""

from __future__ import annotations

import copy
import json
import random
import string
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import stack_models as models
from release_models import FIRST, SECOND, host, release

from maestro.host import plan_hash
from maestro.host.files import File
from maestro.plan import deploy, rollback
from maestro.plan.document import LINES, Document, difference
from maestro.plan.wanted import Inputs

SECRET = "correct-horse-battery"
Given = dict[str, Any]


def given(**changes: Any) -> Given:
    """All that a plan is made of: a deploy to two hosts that run nothing."""
    return {
        "model": models.shop(),
        "request": {**models.REQUEST, "files": dict(models.FILES)},
        "hosts": ["a", "b"],
        "waves": ("1", "100%"),
        "profiles": frozenset(),
        "values": {"db_password": SECRET},
        "containers": [],
        "tag": "",
        "run": models.run(),
        **changes,
    }


def document(given: Given) -> Document:
    key = b"the host's"
    prints = {k: plan_hash.fingerprint(key, k, v) for k, v in given["values"].items()}
    images = models.images(given["model"])
    if given["tag"]:
        images["registry.test:5000/shop-web:v1"]["digest"] = f"sha256:{given['tag'] * 64}"
    states = {
        name: {
            **models.bare(),
            "model": given["model"],
            "resolved": images,
            "fingerprints": prints,
            "identity": {"root": "/opt/maestro"},
            "containers": given["containers"],
        }
        for name in given["hosts"]
    }
    inputs = Inputs(
        given["request"],
        states,
        given["hosts"][0],
        "/opt/maestro",
        given["profiles"],
        given["waves"],
        run=given["run"],
    )
    found = deploy.decide(inputs).document
    assert found
    return found


def service(given: Given, name: str = "web") -> dict[str, Any]:
    found: dict[str, Any] = given["model"]["services"][name]
    return found


def set_digest(given: Given) -> None:
    given["tag"] = "e"


def set_environment(given: Given) -> None:
    service(given)["environment"]["GREETING"] = "bye"


def set_config(given: Given) -> None:
    given["request"]["files"]["config/settings.json"] = File(b"{}").as_json()


def set_secret(given: Given) -> None:
    given["values"]["db_password"] = "another"


def set_route(given: Given) -> None:
    route = {"service": "web", "port": 8000, "host": "shop.example.org"}
    given["model"]["x-maestro"]["routes"] = [route]
    service(given)["ports"] = []


def set_limit(given: Given) -> None:
    service(given)["deploy"]["resources"]["limits"]["memory"] = "99108864"


def set_check(given: Given) -> None:
    given["model"]["x-maestro"]["smoke"][0]["http"]["path"] = "/health"


def set_waves(given: Given) -> None:
    given["waves"] = ("100%",)


def set_profile(given: Given) -> None:
    given["profiles"] = frozenset({"debug"})


def set_exception(given: Given) -> None:
    service(given)["privileged"] = True
    allowed = {"rule": "privileged", "service": "web", "reason": "it needs the devices"}
    given["model"]["x-maestro"]["allow"] = [allowed]


def set_migration(given: Given) -> None:
    given["model"]["x-maestro"]["migrations"][0]["backward_compatible"] = False


def set_hosts(given: Given) -> None:
    given["hosts"] = ["a"]


def set_state(given: Given) -> None:
    given["containers"] = [models.container("db", "0" * 16)]


def set_version(given: Given) -> None:
    given["request"]["version"] = "v2"


CHANGES: list[tuple[Callable[[Given], None], str]] = [
    (set_digest, "a: image registry.test:5000/shop-web:v1: sha256:"),
    (set_environment, "a: service web: environment: changed"),
    (set_config, "a: config settings: changed"),
    (set_secret, "a: secret db_password: changed"),
    (set_route, "a: x-maestro.routes: new"),
    (set_limit, "a: service web: deploy.resources: changed"),
    (set_check, "a: x-maestro.smoke: changed"),
    (set_waves, "waves: a then b -> a, b"),
    (set_profile, "a: profiles: changed"),
    (set_exception, "a: policy exceptions: changed"),
    (set_migration, "a: x-maestro.migrations: changed"),
    (set_hosts, "b: no longer in the plan"),
    (set_state, "a: the stack's containers are others than when the plan was made"),
    (set_version, "a: version: v1 -> v2"),
]


@pytest.mark.parametrize(("change", "line"), CHANGES)
def test_a_change_makes_another_plan_and_is_named(change: Any, line: str) -> None:
    before, after = given(), given()
    change(after)
    old, new = document(before), document(after)
    assert old.hash != new.hash
    lines = difference(old, new)
    assert [found for found in lines if found.startswith(line)], lines
    assert 0 < len(lines) <= LINES
    assert SECRET not in "\n".join(lines)
    assert SECRET not in json.dumps(new.as_dict())


def test_the_operation_is_a_change() -> None:
    one, two = release(FIRST, "v1"), release(SECOND, "v2", FIRST)
    back = rollback.Asked("shop", "staging", run=models.run())
    old = rollback.decide(back, {"a": host(one, two)}).document
    assert old
    again = rollback.decide(replace(back, run=models.run()), {"a": host(one, two)}).document
    new = replace(old, operation="removal")
    assert again
    assert old.hash != new.hash
    assert difference(old, new) == ["operation: rollback -> removal"]


def shuffled(value: Any) -> Any:
    """The same, with the keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.Random(4).shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def later(given: Given) -> None:
    given["run"] = replace(given["run"], at="2027-03-01T00:00:00Z", release="20270301T000000Z-beef")


def by_another(given: Given) -> None:
    given["run"] = replace(given["run"], by="lee@ci")


def comments(given: Given) -> None:
    given["request"]["files"]["compose.yaml"] = File(b"the same # with a comment").as_json()
    given["request"]["git_commit"] = "fedcba"


def key_order(given: Given) -> None:
    given["model"] = shuffled(given["model"])


def host_order(given: Given) -> None:
    given["request"] = dict(reversed(given["request"].items()))


def checkout(given: Given) -> None:
    given["request"]["directory"] = "/elsewhere/docker"


def approver(given: Given) -> None:
    given["request"]["approved_by"] = "jo"


@pytest.mark.parametrize(
    "change", [later, by_another, comments, key_order, host_order, checkout, approver]
)
def test_what_is_harmless_keeps_the_plan(change: Any) -> None:
    before = given()
    after = copy.deepcopy(before)
    change(after)
    assert document(before).as_dict() == document(after).as_dict()


def test_a_difference_of_many_things_is_short() -> None:
    before, after = given(), given()
    for letter in string.ascii_lowercase:
        service(after)[f"x-{letter}"] = letter
    lines = difference(document(before), document(after))
    assert len(lines) == LINES
    assert lines[-1].startswith("and ")


def test_a_document_survives_its_file() -> None:
    found = document(given())
    again = Document.of(json.loads(json.dumps(found.as_dict())))
    assert again.hash == found.hash
    assert not difference(found, again)

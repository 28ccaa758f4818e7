"""All that is wrong is said at once, with the lines to write."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stack_models as models

from maestro.errors import Line, MaestroError, MaestroErrors
from maestro.plan import deploy
from maestro.plan.wanted import LOGIN, Inputs
from maestro.play import action, controller, host_variables, problems
from maestro.secrets.source import SecretProblem
from maestro.stack import compose_yaml, mount_lines, pasting
from maestro.stack.compose_yaml import Override
from maestro.stack.isolation import Place
from maestro.stack.policy import problems as of_policy


def refused(model: dict[str, Any], state: dict[str, Any], **request: Any) -> list[MaestroError]:
    found = {**models.bare(), "model": model, "resolved": models.images(model), **state}
    asked = {**models.REQUEST, **request}
    with pytest.raises(MaestroError) as caught:
        deploy.decide(Inputs(asked, {"a": found}, "a", "/opt/maestro", run=models.run()))
    return problems.each(caught.value)


LOST = MaestroError(
    "the text of the config lost is not known: found nothing",
    where="shop/compose.yaml: configs.lost",
    fix="allowed: `file:` with a path below the stack's directory, or `content:`",
)


def test_problems_of_all_kinds_in_one_round() -> None:
    model = models.shop()
    web = model["services"]["web"]
    web |= {"privileged": True, "user": "app", "configs": [{"source": "lost"}]}
    model["x-maestro"]["routes"] = [{"service": "web", "port": "many"}]
    images = models.images(model)
    gone = str(model["services"]["db"]["image"])
    of_host = {
        "resolved": {name: image for name, image in images.items() if name != gone},
        "refused": {gone: f"{gone}: not found"},
        "ports": [{"address": "0.0.0.0", "port": 8000, "protocol": "tcp", "kind": "program"}],
    }
    brought = [
        MaestroError("unknown key", where="shop/compose.yaml: sevices"),
        MaestroError("the variable TAG has no value", where="shop/compose.yaml: services.x"),
        LOST,  # seen before Compose read the files, and after it
        SecretProblem("missing secret: api", ["api"]),
    ]
    found = refused(
        model, of_host, problems=problems.as_facts(brought), lacking=["api"], registry="x"
    )
    said = "\n".join(map(str, found))
    for what in (
        "unknown key",
        "the variable TAG",
        "missing secret: api",
        "found privileged: true",
        "routes[0].port: found 'many'",
        f"{gone}: not found",
        "whose uid is not known",
        "the text of the config lost is not known",
        "port 8000/tcp of service web is taken",
        "the lines to write:",
    ):
        assert said.count(what) == 1, what


def test_compose_s_complaint_is_not_told_beside_what_causes_it() -> None:
    wrong = {"model": {}, "model_problem": "Compose cannot read the stack: sevices"}
    assert "cannot read" in str(refused({"services": {}}, wrong)[0])
    brought = problems.as_facts([MaestroError("unknown key", where="shop/compose.yaml: sevices")])
    (only,) = refused({"services": {}}, wrong, problems=brought)
    assert only.what == "unknown key"


def test_a_registry_without_its_password_refuses_nothing_else() -> None:
    model = models.shop()
    mine, other = str(model["services"]["db"]["image"]), "docker.io/library/redis:8"
    model["services"]["web"]["image"] = other
    of_host = {
        "resolved": {},
        "refused": {
            **dict.fromkeys(models.images(model), "who are you"),
            other: f"{other}: not found",
        },
    }
    assert mine in of_host["refused"]
    brought = problems.as_facts([SecretProblem("missing secret: registry_password", [LOGIN])])
    found = refused(model, of_host, problems=brought, lacking=[LOGIN], registry=models.REGISTRY)
    assert [problem.what for problem in found][1:] == [f"{other}: not found"]


def test_what_is_wrong_with_files_comes_from_one_reading(tmp_path: Path) -> None:
    home = tmp_path / "shop"
    home.mkdir()
    (home / "compose.yaml").write_text(
        "services: {web: {image: 'r.test/web:${TAG}', env_file: gone.env}}\nvolume: {}\n"
    )
    own: Any = {"version": "v1", "variables": {}, "profiles_said": []}
    _, said = host_variables.read(tmp_path, "shop", "staging", own)
    what = sorted(problem["what"] for problem in said["problems"])
    assert [text.split(" ")[0:2] for text in what] == [
        ["the", "file"],
        ["the", "variable"],
        ["unknown", "key"],
    ]
    assert said["open_variables"] == ["TAG"]


# Lines


def bind(source: str, target: str = "/t", **keys: Any) -> dict[str, Any]:
    more = {"create_host_path": True}
    return {"type": "bind", "source": source, "target": target, "bind": more, **keys}


NAMED = {"type": "volume", "source": "kept", "target": "/kept", "volume": {}}
THERE = {"conf/a.conf": "file", "conf": "folder", "web/src": "folder", "films": "large"}


@pytest.mark.parametrize(
    ("mounts", "kept", "developed", "volumes"),
    [
        ([bind("./conf/a.conf"), NAMED], ["./conf/a.conf:/t:ro", "kept:/kept"], [], []),
        ([bind("./conf")], ["./conf:/t:ro"], [], []),
        ([bind("./web/src")], [], ["./web/src:/t"], []),
        (
            [bind("."), {"type": "volume", "target": "/t/node_modules"}],
            [],
            [".:/t", "/t/node_modules"],
            [],
        ),
        ([bind("./films")], [], ["./films:/t"], []),
        ([bind("./db/data")], ["db-data:/t"], [], ["db-data"]),
        ([bind("./~/x.d")], ["x-d:/t"], [], ["x-d"]),
        ([bind("./...")], ["web-data:/t"], [], ["web-data"]),
    ],
)
def test_lines_for_mounts(
    mounts: list[Any], kept: list[Any], developed: list[Any], volumes: list[str]
) -> None:
    service = {"build": {"context": "./web"}, "volumes": mounts}
    lines = mount_lines.of_service("web", service, [0], THERE)
    path = ("services", "web", "volumes")
    assert [line.value for line in lines if (line.path, line.file) == (path, "")] == [kept]
    assert isinstance(lines[0].value, Override)
    found = [line.value for line in lines if line.file]
    assert found == ([developed] if developed else [])
    assert [line.path for line in lines if line.path[0] == "volumes"] == [
        ("volumes", name) for name in volumes
    ]


def test_a_mount_that_the_short_form_cannot_say_keeps_its_long_one() -> None:
    long = {"type": "volume", "source": "a", "target": "/a", "volume": {"subpath": "x"}}
    tmpfs = {"type": "tmpfs", "target": "/b"}
    lines = mount_lines.of_service("web", {"volumes": [bind("./conf"), long, tmpfs]}, [0], THERE)
    assert lines[0].value == ["./conf:/t:ro", long, tmpfs]


def policy(service: dict[str, Any], **place: Any) -> list[Line]:
    model = {"name": "shop", "services": {"web": service}}
    found = of_policy(model, "staging", "shop", Place(model, **place))
    return [line for problem in found for line in problem.lines]


@pytest.mark.parametrize(
    ("service", "place", "line"),
    [
        (
            {"image": "nginx:latest"},
            {"digests": {"nginx:latest": "sha256:1"}},
            Line(("services", "web", "image"), "nginx:latest@sha256:1"),
        ),
        (
            {"image": "nginx"},
            {},
            Line(
                ("x-maestro", "allow"), [{"rule": "moving-tag", "service": "web", "reason": "WHY"}]
            ),
        ),
        (
            {"image": "them/web", "build": {"context": "."}},
            {"digests": {"them/web": "sha256:1"}},
            Line(("services", "web", "image"), "${REGISTRY:-localhost}/shop-web:${VERSION:-dev}"),
        ),
        (
            {"image": "a:1", "volumes": [bind("/var/run/docker.sock")]},
            {},
            Line(
                ("x-maestro", "allow"),
                [{"rule": "engine-socket", "service": "web", "reason": "WHY"}],
            ),
        ),
    ],
)
def test_lines_for_what_the_policy_refuses(
    service: dict[str, Any], place: dict[str, Any], line: Line
) -> None:
    assert policy(service, **place) == [line]


def test_lines_are_right_where_they_are_written() -> None:
    lines = [
        Line(("services", "web", "volumes"), Override([])),
        Line(("services", "web", "image"), "a:1"),
        Line(("x-maestro", "allow"), [{"rule": "device", "reason": "b"}]),
        Line(("x-maestro", "allow"), [{"rule": "device", "reason": "b"}]),
        Line(("services", "web", "volumes"), [".:/x"], "compose.development.yaml"),
        Line(("volumes", "data"), None),
    ]
    there = {"allow": [{"rule": "privileged", "reason": "a"}]}
    before = copy.deepcopy(there)
    wrong = [MaestroError("a", lines=lines), MaestroError("b")]
    *same, last = pasting.with_lines(wrong, "compose.yml", "staging", there)
    assert same == wrong
    assert there == before
    own, _, theirs = str(last).partition("# compose.development.yaml")
    assert "# in compose.yml, these keys become (or write them into compose.staging.yaml" in own
    assert compose_yaml.parse(own.partition("alone):\n")[2], "x") == {
        "services": {"web": {"volumes": [], "image": "a:1"}},
        "volumes": {"data": None},
        "x-maestro": {"allow": [*before["allow"], {"rule": "device", "reason": "b"}]},
    }
    assert "volumes: !override []" in own
    assert compose_yaml.parse(theirs.partition("\n")[2], "x") == {
        "services": {"web": {"volumes": [".:/x"]}}
    }


def test_a_single_problem_keeps_its_place() -> None:
    line = Line(("x-maestro", "routes"), [{"service": "web", "port": 80}])
    (only,) = pasting.with_lines(
        [MaestroError("taken", where="h", fix="route it", lines=[line])], "a", "b", {}
    )
    assert (only.what, only.where) == ("taken", "h")
    assert only.fix.startswith("route it\nthe lines to write:")
    assert "- service: web" in only.fix
    assert pasting.with_lines([MaestroError("x")], "a", "b", {})[0].fix == ""


def test_errors_hand_on_their_lines() -> None:
    line = Line(("a",), 1)
    found = MaestroErrors([MaestroError("x", lines=[line]), MaestroError("y")])
    assert found.lines == (line,)


@pytest.mark.parametrize(
    ("published", "protocol", "environment", "stays"),
    [
        ("80", "tcp", "staging", False),
        ("443", "tcp", "staging", False),
        ("443", "udp", "staging", True),
        ("8080", "tcp", "staging", True),
        ("80", "tcp", "development", True),
    ],
)
def test_the_edge_has_the_ports_of_a_routed_service(
    published: str, protocol: str, environment: str, *, stays: bool
) -> None:
    model = models.shop()
    port = {"mode": "ingress", "target": 80, "published": published, "protocol": protocol}
    model["services"]["web"]["ports"] = [port]
    model["x-maestro"]["routes"] = [{"service": "web", "port": 80}]
    found = {**models.bare(), "model": model, "resolved": models.images(model)}
    asked = {**models.REQUEST, "environment": environment}
    decision = deploy.decide(Inputs(asked, {"a": found}, "a", "/opt/maestro", run=models.run()))
    assert (f'published: "{published}"' in decision.hosts["a"]["compose"]) == stays


def test_what_is_no_deploy_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation makes no plan of the files that would tell what is wrong with them."""
    monkeypatch.setattr(controller, "guard_play", lambda *_, **__: None)
    monkeypatch.setattr(controller, "said", lambda _: {})
    found = problems.as_facts([SecretProblem("missing secret: api", ["api"])])
    step = action.GuardedAction.__new__(action.GuardedAction)
    step._loader, step._task = None, SimpleNamespace(check_mode=False)
    with pytest.raises(MaestroError, match="missing secret: api"):
        step.step({"guard": {}, "request": {"problems": found, "lacking": ["api"]}}, {})

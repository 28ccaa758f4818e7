"""What a stack may not do outside development, and what it may."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro import policy
from maestro.errors import MaestroError


def problems(environment: str = "staging", **services: dict[str, Any]) -> list[MaestroError]:
    return policy.problems({"services": services}, environment, "shop")


def web(**keys: Any) -> dict[str, Any]:
    return models.service("web:v1", **keys)


def bind(source: str, kind: str = "bind") -> dict[str, Any]:
    return web(volumes=[{"type": kind, "source": source, "target": "/x"}])


def port(published: str | int, protocol: str = "tcp", host_ip: str = "") -> dict[str, Any]:
    found = {"mode": "ingress", "target": 80, "published": str(published), "protocol": protocol}
    return {**found, "host_ip": host_ip} if host_ip else found


@pytest.mark.parametrize("environment", ["staging", "production", "development"])
def test_a_usual_stack_is_allowed(environment: str) -> None:
    assert policy.problems(models.shop(), environment, "shop") == []


OUTSIDE_DEVELOPMENT: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "latest",
        {"image": "r.test/web:latest"},
        ".image",
        "found r.test/web:latest: a moving tag",
        "a version tag such as ${VERSION}",
    ),
    (
        "no tag",
        {"image": "r.test:5000/web"},
        ".image",
        "found r.test:5000/web: a moving tag",
        "or a digest",
    ),
    (
        "no registry, no tag",
        {"image": "redis"},
        ".image",
        "found redis: a moving tag",
        "a version tag",
    ),
    ("privileged", web(privileged=True), ".privileged", "found privileged: true", "allowed: false"),
    ("ALL", web(cap_add=["ALL"]), ".cap_add", "found ALL", "any but ALL, SYS_ADMIN and SYS_PTRACE"),
    (
        "SYS_PTRACE",
        web(cap_add=["NET_RAW", "SYS_PTRACE"]),
        ".cap_add",
        "found SYS_PTRACE",
        "any but",
    ),
    ("lower case", web(cap_add=["cap_sys_admin"]), ".cap_add", "found cap_sys_admin", "any but"),
    (
        "socket",
        bind("/var/run/docker.sock"),
        ".volumes[0]",
        "found /var/run/docker.sock: a container with the Engine's socket",
        "without the socket",
    ),
    (
        "socket, other path",
        bind("/run/docker.sock"),
        ".volumes[0]",
        "found /run/docker.sock",
        "without the socket",
    ),
    (
        "socket, odd path",
        bind("/var//run/x/../docker.sock/"),
        ".volumes[0]",
        "rules the host",
        "without the socket",
    ),
    (
        "socket's directory",
        bind("/var/run/"),
        ".volumes[0]",
        "found /var/run/",
        "without the socket",
    ),
    ("everything", bind("/"), ".volumes[0]", "found /:", "without the socket"),
    ("everything, twice", bind("//"), ".volumes[0]", "found //:", "without the socket"),
    (
        "source",
        bind("./src"),
        ".volumes[0]",
        "found ./src: a mount of the stack's source",
        "compose.development.yaml",
    ),
    (
        "directory",
        bind("."),
        ".volumes[0]",
        "found .: a mount of the stack's source",
        "compose.development.yaml",
    ),
]


@pytest.mark.parametrize(
    ("service", "path", "what", "fix"),
    [case[1:] for case in OUTSIDE_DEVELOPMENT],
    ids=[case[0] for case in OUTSIDE_DEVELOPMENT],
)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_refused_outside_development(
    service: dict[str, Any], path: str, what: str, fix: str, environment: str
) -> None:
    (problem,) = problems(environment, web=service)
    assert problem.where == f"shop/compose.yaml: services.web{path}"
    assert what in problem.what
    assert fix in problem.fix
    assert problems("development", web=service) == []


@pytest.mark.parametrize(
    "service",
    [
        {"image": f"r.test/web@sha256:{'a' * 64}"},
        {"image": f"r.test/web:latest@sha256:{'a' * 64}"},
        {"image": "r.test:5000/latest:1"},
        web(privileged=False, cap_add=["NET_BIND_SERVICE"], cap_drop=["ALL"]),
        web(cap_add=None, volumes=None, ports=None),
        bind("/srv/data"),
        bind("/var/run/shop"),
        bind("data", "volume"),
        web(volumes=[{"type": "tmpfs", "target": "/tmp"}]),
    ],
)
def test_allowed_everywhere(service: dict[str, Any]) -> None:
    assert problems("production", web=service) == []


@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_service_without_an_image(environment: str) -> None:
    (problem,) = problems(environment, web={"build": {"context": "."}})
    assert problem.where == "shop/compose.yaml: services.web"
    assert problem.what == "has no image"
    assert "beside `build`" in problem.fix


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (port(80), port(80), True),
        (port(80), port(81), False),
        (port(80), port(80, "udp"), False),
        (port(80, host_ip="127.0.0.1"), port(80), True),
        (port(80, host_ip="127.0.0.1"), port(80, host_ip="0.0.0.0"), True),
        (port(80, host_ip="127.0.0.1"), port(80, host_ip="127.0.0.1"), True),
        (port(80, host_ip="127.0.0.1"), port(80, host_ip="10.0.0.1"), False),
        (port(80), {"mode": "ingress", "target": 80, "protocol": "tcp"}, False),
        (port(80, host_ip="0.0.0.0"), port(80, host_ip="::"), False),
        (port(80, host_ip="0.0.0.0"), port(80, host_ip="[::]"), False),
        (port(80, host_ip="::1"), port(80, host_ip="127.0.0.1"), False),
        (port(80, host_ip="::1"), port(80, host_ip="::"), True),
        (port(80, host_ip="0:0:0:0:0:0:0:1"), port(80, host_ip="::1"), True),
        (port(80), port(80, host_ip="::"), True),
        (port("8000-8002"), port(8001), False),
        (port("8000-8002"), port("8000-8002"), False),
    ],
)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_port_is_published_once_on_a_host(
    first: dict[str, Any], second: dict[str, Any], clash: bool, environment: str
) -> None:
    found = problems(environment, a=web(ports=[first]), b=web(ports=[second]))
    together = problems(environment, a=web(ports=[first, second]))
    assert bool(found) == bool(together) == clash
    if clash:
        assert found[0].what == "port 80/tcp is published more than once on a host: a, b"
        assert found[0].where == "shop/compose.yaml: services.b.ports"
        assert found[0].fix.startswith("give each published port to one service")


@pytest.mark.parametrize(
    ("published", "replicas", "clash"), [(80, 2, True), (80, 1, False), ("8000-8002", 2, False)]
)
def test_a_port_is_published_by_one_container(published: str, replicas: int, clash: bool) -> None:
    found = problems(web=web(ports=[port(published)], deploy={"replicas": replicas}))
    assert bool(found) == clash
    if clash:
        assert found[0].what == "port 80/tcp is published by each of 2 containers"
        assert found[0].where == "shop/compose.yaml: services.web.ports"
        assert "a range" in found[0].fix


def test_all_breaches_at_once() -> None:
    bad = web(
        privileged=True,
        cap_add=["ALL", "SYS_PTRACE"],
        volumes=[
            {"type": "bind", "source": "./src", "target": "/a"},
            {"type": "bind", "source": "/run/docker.sock", "target": "/b"},
        ],
        ports=[port(80)],
    )
    bad["image"] = "r.test/web:latest"
    found = problems(a=bad, b=web(ports=[port(80)]), c={})
    assert [problem.where.rpartition("services.")[2] for problem in found] == [
        "a.image",
        "a.privileged",
        "a.cap_add",
        "a.cap_add",
        "a.volumes[0]",
        "a.volumes[1]",
        "c",
        "b.ports",
    ]

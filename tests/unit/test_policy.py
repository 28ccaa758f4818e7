"""What a stack may not do outside development, and what it may."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.stack import isolation, policy


def problems(environment: str = "staging", **services: dict[str, Any]) -> list[MaestroError]:
    return policy.problems({"services": services}, environment, "shop")


def web(**keys: Any) -> dict[str, Any]:
    return models.service("web:v1", **keys)


def bind(source: str, kind: str = "bind", **keys: bool) -> dict[str, Any]:
    return web(volumes=[{"type": kind, "source": source, "target": "/x", **keys}])


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
        "found r.test/web:latest: a tag that can move",
        "a version tag such as ${VERSION}",
    ),
    (
        "no tag",
        {"image": "r.test:5000/web"},
        ".image",
        "found r.test:5000/web: a tag that can move",
        "or a digest",
    ),
    (
        "no registry, no tag",
        {"image": "redis"},
        ".image",
        "found redis: a tag that can move",
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
        "controls the host",
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
        "found ./src: a mount of the stack's directory that can be written",
        "`./src:/x:ro`",
    ),
    (
        "directory",
        bind("."),
        ".volumes[0]",
        "found .: a mount of the stack's directory that can be written",
        "compose.development.yaml",
    ),
    (
        "directory, to read",
        bind("./", read_only=True),
        ".volumes[0]",
        "the stack's whole directory",
        "the file or the directory in it",
    ),
    (
        "no password",
        web(environment={"xpack.security.enabled": "False", "ELASTIC_PASSWORD_FILE": "/run/x"}),
        ".environment.xpack.security.enabled",
        "found False: everybody in its networks gets in without a password",
        "a password from a secret",
    ),
    (
        "nobody is asked",
        web(environment={"POSTGRES_HOST_AUTH_METHOD": "trust"}),
        ".environment.POSTGRES_HOST_AUTH_METHOD",
        "without a password",
        "only in development",
    ),
    (
        "nothing there",
        bind("./conf", read_only=True),
        ".volumes[0]",
        "the stack's directory has no such file",
        "create it",
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
        web(environment={"xpack.security.enabled": "true", "DISABLE_SECURITY_PLUGIN": None}),
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


# The ways out of a container, or into what is another's

NEVER, NAMED = "never", "named"  # refused whatever is said; refused unless it is allowed by name


def mount(source: str, *, ro: bool = False, **more: Any) -> dict[str, Any]:
    return web(
        volumes=[{"type": "bind", "source": source, "target": "/x", "read_only": ro, **more}]
    )


def named_volume(**options: str) -> dict[str, Any]:
    """A service with the volume `data`; the options are its driver's."""
    service = web(volumes=[{"type": "volume", "source": "data", "target": "/x"}])
    driver = options.pop("driver", "")
    found = {"driver_opts": options, **({"driver": driver} if driver else {})}
    return {**service, "_volumes": {"data": found}}


def on_network(**definition: Any) -> dict[str, Any]:
    return {**web(networks={"x": None}), "_networks": {"x": definition}}


TUN = {"source": "/dev/net/tun", "target": "/dev/net/tun", "permissions": "rwm"}
GPU = {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "count": 1}]}}}
# Where, the service, the rule that finds it, and how it can be allowed; no rule: allowed.
DOORS: list[tuple[str, dict[str, Any], str, str]] = [
    # Rights
    (".privileged", web(privileged=True), "privileged", NAMED),
    (
        ".post_start[0]",
        web(post_start=[{"command": ["x"], "privileged": True}]),
        "privileged",
        NAMED,
    ),
    ("", web(post_start=[{"command": ["x"]}], develop={"watch": []}), "", ""),
    (".cap_add", web(cap_add=["NET_ADMIN"]), "capability", NAMED),
    (".cap_add", web(cap_add=["cap_sys_module"]), "capability", NAMED),
    (".cap_add", web(cap_add=["DAC_READ_SEARCH"]), "capability", NAMED),
    (".cap_add", web(cap_add=["SYS_RAWIO"]), "capability", NAMED),
    ("", web(cap_add=["IPC_LOCK", "SYS_NICE", "CAP_NET_RAW"]), "", ""),
    (".security_opt[0]", web(security_opt=["seccomp:unconfined"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["seccomp=unconfined"]), "security-opt", NAMED),
    (
        ".security_opt[1]",
        web(security_opt=["label:user:x", "apparmor=unconfined"]),
        "security-opt",
        NAMED,
    ),
    (".security_opt[0]", web(security_opt=["label:disable"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["systempaths=unconfined"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["no-new-privileges:false"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["seccomp:/etc/x.json"]), "security-opt", NAMED),
    ("", web(security_opt=["no-new-privileges:true", "label:type:x"]), "", ""),
    (".security_opt[0]", web(security_opt=["no-new-privileges=0"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["label=type:spc_t"]), "security-opt", NAMED),
    (".security_opt[0]", web(security_opt=["writable-cgroups=true"]), "security-opt", NAMED),
    ("", web(security_opt=["no-new-privileges", "seccomp=builtin", "label:level:s0"]), "", ""),
    (".runtime", web(runtime="/opt/evil"), "runtime", NAMED),
    ("", web(runtime="runsc"), "", ""),
    (".cgroup_parent", web(cgroup_parent="/"), "cgroup-parent", NAMED),
    ("", web(sysctls={"net.core.somaxconn": "1024"}, gpus=[{"count": -1}], deploy=GPU), "", ""),
    (".devices[0]", web(devices=[TUN]), "device", NAMED),
    (".devices[0]", web(devices=["/dev/sda:/dev/x"]), "device", NAMED),
    (".device_cgroup_rules[0]", web(device_cgroup_rules=["a *:* rwm"]), "device", NAMED),
    (".oom_score_adj", web(oom_score_adj=-500), "out-of-memory", NAMED),
    (".oom_kill_disable", web(oom_kill_disable=True), "out-of-memory", NAMED),
    ("", web(oom_score_adj=500, oom_kill_disable=False), "", ""),
    # Namespaces
    (".pid", web(pid="host"), "pid-host", NAMED),
    (".ipc", web(ipc="host"), "ipc-host", NAMED),
    (".uts", web(uts="host"), "uts-host", NAMED),
    (".userns_mode", web(userns_mode="host"), "userns-host", NAMED),
    (".cgroup", web(cgroup="host"), "cgroup-host", NAMED),
    (".network_mode", web(network_mode="host"), "network-host", NAMED),
    (".networks.x", on_network(name="host", external=True), "network-host", NAMED),
    (
        ".networks.x",
        on_network(name="x", driver_opts={"com.docker.network.bridge.name": "docker0"}),
        "network-bridge",
        NAMED,
    ),
    (
        ".networks.x",
        on_network(driver="macvlan", driver_opts={"parent": "br-0123abcd"}),
        "network-bridge",
        NAMED,
    ),
    (".networks.x", on_network(driver="weave"), "network-bridge", NAMED),
    (
        ".networks.x",
        on_network(driver_opts={"com.docker.network.bridge.gateway_mode_ipv4": "routed"}),
        "network-bridge",
        NAMED,
    ),
    ("", on_network(driver="macvlan", driver_opts={"parent": "eth0.10"}), "", ""),
    (".network_mode", web(network_mode="jessy_default"), "other-network", NEVER),
    (".ipc", web(ipc="HOST"), "ipc-host", NAMED),
    ("", on_network(name="shop_x", internal=True), "", ""),
    ("", web(ipc="shareable", network_mode="none"), "", ""),
    (".network_mode", web(network_mode="container:jessy-db-1"), "borrowed", NEVER),
    (".pid", web(pid="container:jessy-db-1"), "borrowed", NEVER),
    (".ipc", web(ipc="container:jessy-db-1"), "borrowed", NEVER),
    (".volumes_from", web(volumes_from=["container:jessy-db-1:ro"]), "borrowed", NEVER),
    (".external_links[0]", web(external_links=["jessy-db-1:db"]), "other-container", NEVER),
    # Mounts of the host
    (".volumes[0]", mount("/run/docker.sock", ro=True), "engine-socket", NAMED),
    (".volumes[0]", mount("/srv/../run", ro=True), "engine-socket", NAMED),
    (".volumes[0]", mount("/var/run/docker.sock/"), "engine-socket", NAMED),
    (".volumes[0]", mount("/run/containerd/containerd.sock"), "engine-socket", NAMED),
    (".volumes[0]", mount("/var"), "engine-data", NAMED),
    (".volumes[0]", mount("/var/lib/docker/volumes/jessy_db_data/_data"), "engine-data", NAMED),
    (".volumes[0]", mount("/opt", ro=True), "host-path", NEVER),
    (".volumes[0]", mount("/", ro=True), "whole-host", NAMED),
    (".volumes[0]", mount("//srv/.."), "whole-host", NAMED),
    (".volumes[0]", mount("/opt/maestro/jessy/secrets", ro=True), "host-path", NEVER),
    (".volumes[0]", mount("/data/engine/volumes/x"), "engine-data", NAMED),
    (".volumes[0]", mount("/etc", ro=True), "host-path", NEVER),
    (".volumes[0]", mount("/etc/maestro/edge"), "host-path", NEVER),
    (".volumes[0]", mount("/srv/link"), "host-path", NEVER),
    (".volumes[0]", mount("/etc/shadow", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/etc/cron.d"), "host-path", NAMED),
    (".volumes[0]", mount("/etc/localtime"), "host-path", NAMED),
    (".volumes[0]", mount("/proc", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/sys", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/dev"), "host-path", NAMED),
    (".volumes[0]", mount("/dev/disk", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/run/dbus", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/home/ann/.ssh", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/home"), "host-path", NAMED),
    (".volumes[0]", mount("/home/ann/", ro=True), "host-path", NAMED),
    (".volumes[0]", mount("/var/run/buildkit/buildkitd.sock"), "engine-socket", NAMED),
    (".volumes[0]", mount("run"), "host-path", NEVER),
    (".volumes[0]", bind("/run/docker.sock", "npipe"), "host-path", NEVER),
    (
        ".volumes[0]",
        web(volumes=[{"type": "volume", "target": "/x", "volume": {"subpath": "a/../.."}}]),
        "host-path",
        NEVER,
    ),
    (".volumes[0]", mount("/usr/bin"), "host-path", NAMED),
    ("", mount("/etc/localtime", ro=True), "", ""),
    ("", mount("/lib/modules", ro=True), "", ""),
    ("", mount("/srv/media"), "", ""),
    ("", mount("/home/ann/media"), "", ""),
    ("", mount("/optional"), "", ""),
    ("", mount("/run/dbus-of-mine"), "", ""),
    (
        ".volumes[0]",
        mount("/srv", bind={"propagation": "rshared"}),
        "mount-propagation",
        NAMED,
    ),
    ("", mount("/srv", bind={"propagation": "rslave", "create_host_path": True}), "", ""),
    # The same by a volume's options
    (".volumes[0]", named_volume(type="none", o="bind", device="/run"), "host-path", NEVER),
    (".volumes[0]", named_volume(type="none", o="rbind,ro", device="/"), "host-path", NEVER),
    (".volumes[0]", named_volume(o="bind", device="/srv/link"), "host-path", NEVER),
    (".volumes[0]", named_volume(type="none", o="bind", device="/proc"), "host-path", NAMED),
    (".volumes[0]", named_volume(type="ext4", device="/dev/sda1"), "host-path", NAMED),
    (
        ".volumes[0]",
        named_volume(type="overlay", device="overlay", o="lowerdir=/srv:/var/lib/docker"),
        "host-path",
        NEVER,
    ),
    (".volumes[0]", named_volume(type="none", o="rbind", device="run"), "host-path", NEVER),
    (".volumes[0]", named_volume(type="none", o="bind", device="./run"), "host-path", NEVER),
    (".volumes[0]", named_volume(o="ro,bind", device="x/../../var/lib"), "host-path", NEVER),
    (".volumes[0]", named_volume(type="nfs", o="bind", device="/run"), "host-path", NEVER),
    (
        ".volumes[0]",
        named_volume(type="overlay", device="overlay", o="lowerdir=/srv:opt/maestro"),
        "host-path",
        NEVER,
    ),
    (".volumes[0]", named_volume(type="ext4", device="dev/sda1"), "host-path", NEVER),
    ("", named_volume(type="virtiofs", device="share"), "", ""),
    (".volumes[0]", named_volume(type="binfmt_misc", device="x"), "host-path", NAMED),
    (".volumes[0]", named_volume(type="mqueue", device="x"), "host-path", NAMED),
    ("", named_volume(type="cifs", device="//dev/share", o="addr=10.0.0.1,username=x"), "", ""),
    ("", named_volume(type="ext4", device="", o="noatime"), "", ""),
    (".volumes[0]", named_volume(type="proc", device="proc"), "host-path", NAMED),
    (".volumes[0]", named_volume(driver="rclone"), "host-path", NAMED),
    ("", named_volume(type="none", o="bind", device="/srv/data"), "", ""),
    ("", named_volume(type="nfs", o="addr=10.0.0.1,rw", device=":/export"), "", ""),
    ("", named_volume(type="tmpfs", device="tmpfs"), "", ""),
    # Programs and files of the host
    (".provider", web(provider={"type": "x"}), "host-program", NEVER),
    (".use_api_socket", web(use_api_socket=True), "host-program", NEVER),
    (".credential_spec", web(credential_spec={"file": "/x"}), "host-program", NEVER),
    (".build.context", web(build={"context": "/"}), "build", NAMED),
    (
        ".build.x",
        web(build={"context": ".", "additional_contexts": {"x": "/etc"}}),
        "build",
        NAMED,
    ),
    (".build.privileged", web(build={"context": ".", "privileged": True}), "build", NAMED),
    (
        ".build.entitlements",
        web(build={"context": ".", "entitlements": ["security.insecure"]}),
        "build",
        NAMED,
    ),
    ("", web(build={"context": ".", "network": "host"}), "", ""),
    # Labels
    (".labels", web(labels={"maestro.edge": "x"}), "label", NEVER),
    (".labels", web(labels={"com.docker.compose.project": "jessy"}), "label", NEVER),
    (".deploy.labels", web(deploy={"labels": {"maestro.x": ""}}), "label", NEVER),
    (".build.labels", web(build={"context": ".", "labels": ["maestro.edge=x"]}), "label", NEVER),
    (
        ".networks.x (labels)",
        on_network(labels={"com.docker.compose.project": "jessy"}),
        "label",
        NEVER,
    ),
    ("", web(labels={"maestros": "x", "traefik.enable": "true"}), "", ""),
]
EVERYWHERE = ("label", "borrowed")  # in development too, and by no name
REAL = {"/srv/link": "/opt/maestro/jessy"}
HERE = (("/opt/maestro", "all stacks", ""), ("/data/engine", "all volumes", "engine-data"))


def looked_at(
    service: dict[str, Any], environment: str, *allow: dict[str, str]
) -> tuple[list[MaestroError], list[str]]:
    found = {key: value for key, value in service.items() if not key.startswith("_")}
    model = {
        "services": {"web": found},
        "networks": service.get("_networks") or {},
        "volumes": service.get("_volumes") or {},
        "x-maestro": {"allow": list(allow)},
    }
    place = isolation.Place(model, REAL, HERE)
    return (
        policy.problems(model, environment, "shop", place),
        [made.text for made in policy.made(model, environment, place)],
    )


@pytest.mark.parametrize(
    ("path", "service", "rule", "way"),
    DOORS,
    ids=[f"{case[0]}-{number}" for number, case in enumerate(DOORS)],
)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_every_door(
    path: str, service: dict[str, Any], rule: str, way: str, environment: str
) -> None:
    found, told = looked_at(service, environment)
    assert told == []
    if not rule:
        assert found == []
        return
    (problem,) = found
    assert problem.where == f"shop/compose.yaml: services.web{path}"
    assert problem.fix
    # By name, with its reason: seen in the plan, unless nothing excuses it.
    entry = {"rule": rule, "service": "web", "reason": "it watches the host"}
    still, told = looked_at(service, environment, entry) if rule not in EVERYWHERE else (found, [])
    assert bool(still) == (way == NEVER)
    assert bool(told) == (way == NAMED)
    if way == NAMED:
        assert f"{{rule: {rule}, service: web, reason: WHY}}" in problem.fix
        assert f"services.web{path}: {problem.what}" in told[0]
        assert f"allowed as {rule}: it watches the host" in told[0]
    # Not for another service, and not by another rule.
    other = "device" if rule != "device" else "capability"
    for wrong in ({**entry, "service": "db"}, {**entry, "rule": other}):
        if rule not in EVERYWHERE:
            assert looked_at(service, environment, wrong)[0]


@pytest.mark.parametrize("case", DOORS, ids=range(len(DOORS)))
def test_development_is_free(case: tuple[str, dict[str, Any], str, str]) -> None:
    found, _ = looked_at(case[1], "development")
    assert bool(found) == (case[2] in EVERYWHERE)


def test_what_may_be_read_says_so() -> None:
    (problem,) = looked_at(mount("/etc/localtime"), "production")[0]
    assert problem.fix.startswith("mount it read-only: add `:ro`; or allow it: x-maestro.allow")


def test_an_exception_for_a_rule_there_is_not() -> None:
    found, _ = looked_at(web(), "production", {"rule": "all", "reason": "x"})
    assert found[0].where == "shop/compose.yaml: x-maestro.allow[0]"
    assert "host-path" in found[0].fix
    assert "label" not in found[0].fix


# Public stacks of the usual shapes, with what they have to name.
PUBLIC: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "node exporter",
        web(
            pid="host",
            volumes=[
                {"type": "bind", "source": "/proc", "target": "/host/proc", "read_only": True},
                {"type": "bind", "source": "/sys", "target": "/host/sys", "read_only": True},
            ],
        ),
        ["host-path", "pid-host"],
    ),
    (
        "cadvisor",
        web(
            privileged=True,
            devices=["/dev/kmsg"],
            volumes=[
                {"type": "bind", "source": "/sys", "target": "/sys", "read_only": True},
                {"type": "bind", "source": "/dev/disk", "target": "/dev/disk", "read_only": True},
            ],
        ),
        ["device", "host-path", "privileged"],
    ),
    (
        "vpn",
        web(
            cap_add=["NET_ADMIN"],
            devices=[TUN],
            sysctls={"net.ipv4.ip_forward": "1"},
            volumes=[{"type": "bind", "source": "/lib/modules", "target": "/m", "read_only": True}],
        ),
        ["capability", "device"],
    ),
    ("whoami", {"image": "traefik/whoami"}, ["moving-tag"]),
    (
        "proxy",
        web(ports=[port(8080)], volumes=[{"type": "volume", "source": "acme", "target": "/a"}]),
        [],
    ),
]


@pytest.mark.parametrize(("service", "rules"), [case[1:] for case in PUBLIC])
def test_public_stacks_go_in_with_what_they_name(service: dict[str, Any], rules: list[str]) -> None:
    allow = [{"rule": rule, "reason": "its work"} for rule in rules]
    found, told = looked_at(service, "production", *allow)
    assert found == []
    assert bool(told) == bool(rules)
    for number in range(len(allow)):
        assert looked_at(service, "production", *allow[:number], *allow[number + 1 :])[0]


def test_a_mounted_configuration_of_the_host_is_told_where_the_stacks_own_goes() -> None:
    (problem,) = looked_at(mount("/etc/nginx/nginx.conf", ro=True), "production")[0]
    assert "`./nginx.conf:PATH:ro`, or use configs:" in str(problem.fix)


# A service that lives in another's container has what that has of the host.
LENT: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (web(network_mode="host"), web(network_mode="service:owner"), ".network_mode", "network-host"),
    (web(pid="host"), web(pid="service:owner"), ".pid", "pid-host"),
    (web(ipc="host"), web(ipc="service:owner"), ".ipc", "ipc-host"),
    (bind("/etc/cron.d"), web(volumes_from=["owner:ro"]), ".volumes_from[0]", "host-path"),
    (bind("/run/docker.sock"), web(volumes_from=["owner"]), ".volumes_from[0]", "engine-socket"),
]


@pytest.mark.parametrize(("owner", "borrower", "path", "rule"), LENT)
def test_an_exception_is_not_lent(
    owner: dict[str, Any], borrower: dict[str, Any], path: str, rule: str
) -> None:
    def found(*names: str) -> list[str]:
        allow = [{"rule": rule, "service": name, "reason": "x"} for name in names]
        last = {**borrower, **{key: "service:middle" for key in borrower if key == path[1:]}}
        model = {
            "services": {
                "owner": owner,
                "middle": borrower,
                "last": {**last, "volumes_from": ["middle"]} if "[" in path else last,
            },
            "x-maestro": {"allow": allow},
        }
        return [str(problem.where) for problem in policy.problems(model, "staging", "shop")]

    place = "shop/compose.yaml: services."
    assert found("owner") == [f"{place}last{path}", f"{place}middle{path}"]
    assert found("owner", "middle", "last") == []


def test_a_circle_of_loans_ends() -> None:
    services = {"a": web(pid="service:b"), "b": web(pid="service:a")}
    assert policy.problems({"services": services}, "staging", "shop") == []


def test_who_lives_in_a_container_of_the_hosts_network_listens_there_too() -> None:
    services = {"a": web(network_mode="service:b"), "b": web(network_mode="host"), "c": web()}
    model: Any = {"services": services}
    assert isolation.in_the_hosts_network(model["services"]["a"], model)
    assert not isolation.in_the_hosts_network(model["services"]["c"], model)

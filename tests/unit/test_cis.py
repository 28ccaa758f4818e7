"""Containers against the benchmark: which check a fragment of an inspection fails."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from maestro.host.runtime import Looker
from maestro.report import cis, score, status

GOOD: dict[str, Any] = {
    "inspect": {
        "NetworkMode": "shop_default",
        "Memory": 67108864,
        "NanoCpus": 500000000,
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "PidsLimit": 4096,
        "CapAdd": ["CAP_CHOWN", "NET_BIND_SERVICE"],
        "AppArmorProfile": "docker-default",
        "ProcessLabel": "system_u:system_r:container_t",
        "Health": "healthy",
        "Mounts": [
            {"Type": "bind", "Source": "/etc/localtime", "RW": False, "Propagation": "rprivate"},
            {"Type": "volume", "Source": "/var/lib/docker/volumes/x/_data", "RW": True},
            {"Type": "bind", "Source": "/srv/etc", "RW": True, "Propagation": "rslave"},
        ],
        "Ports": [["127.0.0.1", "8080"]],
    },
    "kernel": {"NoNewPrivs": 1, "Seccomp": 2},
    "host": {"swarm": "inactive", "apparmor": True, "selinux": True},
    "sshd": False,
}


def bind(source: str, *, written: bool = True, propagation: str = "rprivate") -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "RW": written, "Propagation": propagation}


def judged(inspect: dict[str, Any] | None = None, **keys: Any) -> tuple[str, ...]:
    facts = copy.deepcopy(GOOD)
    facts["inspect"].update(inspect or {})
    facts.update(keys)
    return cis.judge(cis.Look.of(facts)).failed


def test_what_is_closed_passes_all() -> None:
    result = cis.judge(cis.Look.of(GOOD))
    assert result.failed == ()
    assert result.passed == tuple(check.number for check in cis.CHECKS)
    assert len(result.passed) == 28
    assert cis.in_order(result.passed) == list(result.passed)


@pytest.mark.parametrize(
    ("inspect", "failed"),
    [
        ({"AppArmorProfile": "unconfined"}, ("5.2",)),
        ({"AppArmorProfile": ""}, ("5.2",)),
        ({"ProcessLabel": ""}, ("5.3",)),
        ({"CapAdd": ["SYS_ADMIN"]}, ("5.4",)),
        ({"CapAdd": ["CAP_NET_ADMIN"]}, ("5.4",)),
        ({"CapAdd": ["ALL"]}, ("5.4",)),
        ({"CapAdd": None}, ()),
        ({"Privileged": True}, ("5.4", "5.5")),
        ({"Mounts": [bind("/etc")]}, ("5.6",)),
        ({"Mounts": [bind("/etc/ssl")]}, ("5.6",)),
        ({"Mounts": [bind("/")]}, ("5.6", "5.32")),
        ({"Mounts": [bind("/dev", written=False)]}, ()),
        ({"Mounts": [bind("/etcetera")]}, ()),
        ({"Ports": [["127.0.0.1", "443"]]}, ("5.8",)),
        ({"Ports": [["127.0.0.1", "1023"]]}, ("5.8",)),
        ({"Ports": [["127.0.0.1", "1024"]]}, ()),
        ({"Ports": [["", ""]]}, ("5.14",)),
        ({"Ports": [["0.0.0.0", "8080"]]}, ("5.14",)),
        ({"Ports": [["127.0.0.1", "8080"], ["::", "8081"]]}, ("5.14",)),
        ({"Ports": []}, ()),
        ({"NetworkMode": "host"}, ("5.10",)),
        ({"Memory": 0}, ("5.11",)),
        ({"Memory": None}, ("5.11",)),
        ({"NanoCpus": 0}, ("5.12",)),
        ({"NanoCpus": 0, "CpuShares": 512}, ()),
        ({"NanoCpus": 0, "CpuQuota": 50000}, ()),
        ({"NanoCpus": 0, "CpuQuota": -1}, ("5.12",)),
        ({"ReadonlyRootfs": False}, ("5.13",)),
        ({"RestartPolicy": {"Name": "always"}}, ("5.15",)),
        ({"RestartPolicy": {"Name": "unless-stopped"}}, ("5.15",)),
        ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 6}}, ("5.15",)),
        ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 0}}, ("5.15",)),
        ({"RestartPolicy": {"Name": "no"}}, ()),
        ({"RestartPolicy": {"Name": ""}}, ()),
        ({"PidMode": "host"}, ("5.16",)),
        ({"PidMode": "container:abc"}, ()),
        ({"IpcMode": "host"}, ("5.17",)),
        ({"IpcMode": "private"}, ()),
        ({"Devices": [{"PathOnHost": "/dev/fuse"}]}, ("5.18",)),
        ({"Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": -1}]}, ("5.19",)),
        ({"Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}]}, ()),
        ({"Mounts": [bind("/srv", propagation="rshared")]}, ("5.20",)),
        ({"Mounts": [bind("/srv", propagation="shared")]}, ("5.20",)),
        ({"UTSMode": "host"}, ("5.21",)),
        ({"CgroupParent": "/elsewhere"}, ("5.25",)),
        ({"Health": ""}, ("5.27",)),
        ({"Health": "unhealthy"}, ()),
        ({"PidsLimit": None}, ("5.29",)),
        ({"PidsLimit": -1}, ("5.29",)),
        ({"PidsLimit": 0}, ("5.29",)),
        ({"NetworkMode": "default"}, ("5.30",)),
        ({"NetworkMode": "bridge"}, ("5.30",)),
        ({"UsernsMode": "host"}, ("5.31",)),
        ({"Mounts": [bind("/var/run/docker.sock")]}, ("5.32",)),
        ({"Mounts": [bind("/run/containerd/containerd.sock", written=False)]}, ("5.32",)),
        ({"Mounts": [bind("/run", written=False)]}, ("5.32",)),
    ],
)
def test_what_an_inspection_fails(inspect: dict[str, Any], failed: tuple[str, ...]) -> None:
    assert judged(inspect) == failed


@pytest.mark.parametrize(
    ("options", "kernel", "failed"),
    [
        (None, {"NoNewPrivs": 0, "Seccomp": 2}, ("5.26",)),
        (None, {"NoNewPrivs": 1, "Seccomp": 0}, ("5.22",)),
        (["no-new-privileges:true"], {"NoNewPrivs": 0, "Seccomp": 2}, ("5.26",)),
        # One that does not run: what was asked for counts.
        (None, {}, ("5.26",)),
        (["no-new-privileges"], {}, ()),
        (["no-new-privileges:true"], {}, ()),
        (["no-new-privileges=false"], {}, ("5.26",)),
        (["no-new-privileges=true", "seccomp:unconfined"], {}, ("5.22",)),
    ],
)
def test_what_the_kernel_says_comes_first(
    options: list[str] | None, kernel: dict[str, int], failed: tuple[str, ...]
) -> None:
    assert judged({"SecurityOpt": options}, kernel=kernel) == failed


def test_what_is_of_the_host() -> None:
    assert judged(host={"swarm": "active", "apparmor": True, "selinux": True}) == ("5.1",)
    assert judged(sshd=True) == ("5.7",)
    bare = {"swarm": "inactive", "apparmor": False, "selinux": False}
    facts = {**copy.deepcopy(GOOD), "host": bare}
    facts["inspect"] |= {"AppArmorProfile": "", "ProcessLabel": ""}
    result = cis.judge(cis.Look.of(facts))
    assert result.failed == ()
    assert len(result.passed) == 26


def item(service: str, **inspect: Any) -> dict[str, Any]:
    facts = copy.deepcopy(GOOD)
    facts["inspect"].update(inspect)
    return {"service": service, "runtime": facts}


def test_a_score_for_each_service_and_what_to_write() -> None:
    states = {
        # What one of two replicas fails, the service fails.
        "a": {"containers": [item("web"), item("web", Memory=0), item("db", PidsLimit=0)]},
        "b": {"containers": [item("web")]},
    }
    assert score.shown(states, "shop").splitlines() == [
        "shop: CIS Docker Benchmark v1.8.0, section 5 (containers): 82 of 84 checks passed (97 %)",
        "",
        "host  service  passed  failed checks",
        "a     db       27/28   5.29",
        "a     web      27/28   5.11",
        "b     web      28/28   none",
        "",
        "5.11 Ensure that the memory usage for containers is limited",
        "    web: deploy: {resources: {limits: {memory: 256M}}}",
        "5.29 Ensure that the PIDs cgroup limit is used",
        f"    db: {cis.BY_NUMBER['5.29'].write}",
    ]
    assert score.shown({"a": {"containers": [{"service": "web"}]}}, "shop") == ""


def test_hosts_with_user_namespaces_are_named() -> None:
    remapped = item("web", Memory=0)
    remapped["runtime"]["host"]["userns"] = True
    states = {"a": {"containers": [remapped]}, "b": {"containers": [item("web", Memory=0)]}}
    lines = score.shown(states, "shop").splitlines()
    assert lines[5:8] == ["", "2.9 Enable user namespace support: passed on a", ""]
    assert "2.9" not in score.shown({"b": states["b"]}, "shop")


def test_the_edge_has_its_score_where_no_stack_is() -> None:
    state = {
        "silent": [],
        "strangers": {},
        "stacks": {},
        "edge": {"containers": [item("edge", NetworkMode="host")]},
    }
    lines = status.everything({"a": state}, {}).splitlines()
    assert lines[0] == "no stack has been deployed here"
    assert lines[2].startswith("edge: CIS Docker Benchmark v1.8.0")
    assert lines[-1] == "5.10 Ensure that the host's network namespace is not shared"


class Engine:
    """One container, as the Engine answers."""

    def info(self) -> dict[str, Any]:
        return {
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"],
            "Swarm": {"LocalNodeState": "active"},
        }

    def inspect(self, container: str) -> dict[str, Any]:
        return {
            "Id": container,
            "State": {"Pid": 42, "Health": {"Status": "healthy"}},
            "Config": {"Env": ["PASSWORD=secret"]},
            "HostConfig": {"Privileged": False, "Memory": 5, "Binds": ["/a:/b"]},
            "AppArmorProfile": "docker-default",
            "Mounts": [{**bind("/a"), "Destination": "/b"}],
            "NetworkSettings": {
                "Ports": {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}], "81/tcp": None}
            },
        }


def test_a_container_is_read_without_its_values(tmp_path: Path) -> None:
    for process, name, group in (("42", "web", "abc"), ("43", "sshd", "abc"), ("44", "sshd", "")):
        home = tmp_path / process
        home.mkdir()
        (home / "comm").write_text(f"{name}\n")
        (home / "cgroup").write_text(f"0::/system.slice/docker-{group}.scope\n")
        (home / "status").write_text("Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\n")
    engine: Any = Engine()
    facts = Looker(engine, tmp_path).facts("abc")
    assert facts["kernel"] == {"NoNewPrivs": 1, "Seccomp": 2}
    assert facts["sshd"]
    assert facts["host"] == {"swarm": "active", "apparmor": True, "selinux": False}
    assert facts["inspect"]["Memory"] == 5
    assert facts["inspect"]["Ports"] == [["::", "8080"]]
    assert facts["inspect"]["Mounts"] == [bind("/a")]
    assert "secret" not in str(facts)
    assert not Looker(engine, tmp_path).facts("def")["sshd"]

"""Values that the Engine refuses when a container is to run, after the one before was stopped."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro.stack import engine_refusals, policy

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (".environment", {"environment": {"A": "a\0b"}}, "NUL"),
    (".command", {"command": ["sh", "-c", "\0"]}, "NUL"),
    (".dns[1]", {"dns": ["1.1.1.1", "resolver.test"]}, "no address"),
    (".ulimits.files", {"ulimits": {"files": 5}}, "no such limit"),
    (".sysctls.vm.swappiness", {"sysctls": {"vm.swappiness": "1"}}, "host's kernel"),
    (".sysctls.vm/swappiness", {"sysctls": {"vm/swappiness": "1"}}, "host's kernel"),
    (".sysctls.kernel.hostname", {"sysctls": {"kernel.hostname": "x"}}, "host's kernel"),
    (".logging.options.max-size", {"logging": {"options": {"max-size": "ten"}}}, "'ten'"),
    (
        ".logging.options.max-file",
        {"logging": {"driver": "local", "options": {"max-file": "0"}}},
        "'0'",
    ),
    (".deploy.replicas", {"deploy": {"replicas": -5}}, "found -5"),
    (".scale", {"scale": 1_000_000_000}, "found 1000000000"),
]


@pytest.mark.parametrize(("path", "keys", "what"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_before_anything_is_stopped(path: str, keys: dict[str, Any], what: str) -> None:
    model = {"services": {"web": models.service("web:v1", **keys)}}
    (problem,) = policy.problems(model, "staging", "shop")
    assert problem.where == f"shop/compose.yaml: services.web{path}"
    assert what in problem.what
    assert problem.fix


@pytest.mark.parametrize(
    "keys",
    [
        {"environment": {"A": "\\u0000", "B": "\\0", "C": "\u0001"}},
        {"dns": ["2606:4700::1111", "fe80::1%eth0"]},
        {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "memlock": -1}},
        {"sysctls": {"net.core.somaxconn": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "9"}},
        {"sysctls": {"net/core/somaxconn": "1", "net/ipv4/conf/eth0.100/forwarding": "1"}},
        {"sysctls": {"vm.swappiness": "1"}, "runtime": "kata"},
        {"ulimits": {"NOFILE": 5, "Core": 0}},
        {"logging": {"options": {"max-size": "10m", "max-file": "3", "compress": "true"}}},
        {"logging": {"options": {"max-size": "-1", "tag": "{{.Name}}"}}},
        {"logging": {"driver": "syslog", "options": {"max-size": "ten"}}},
        {"deploy": {"replicas": 0}},
    ],
)
def test_what_a_container_starts_with(keys: dict[str, Any]) -> None:
    model = {"services": {"web": models.service("web:v1", **keys)}}
    assert policy.problems(model, "staging", "shop") == []


@pytest.mark.parametrize(
    ("keys", "setting", "key"),
    [
        ({"network_mode": "host"}, "net.core.somaxconn", "network_mode"),
        ({"network_mode": "host"}, "net/core/somaxconn", "network_mode"),
        ({"network_mode": "host"}, "kernel.shmmax", ""),
        ({"network_mode": "none"}, "net.core.somaxconn", ""),
        ({"ipc": "host"}, "kernel.shmmax", "ipc"),
        ({"ipc": "host"}, "kernel.msgmni", "ipc"),
        ({"ipc": "host"}, "kernel.sem", "ipc"),
        ({"ipc": "host"}, "fs/mqueue/msg_max", "ipc"),
        ({"ipc": "host"}, "net.core.somaxconn", ""),
        ({"ipc": "host"}, "kernel.domainname", ""),
        ({"ipc": "shareable"}, "kernel.shmmax", ""),
        ({"uts": "host"}, "kernel.domainname", "uts"),
        ({"uts": "host"}, "kernel.sem", ""),
        ({"network_mode": "host", "runtime": "kata"}, "net.core.somaxconn", ""),
    ],
)
def test_settings_of_a_kernel_that_is_the_host_s(
    keys: dict[str, Any], setting: str, key: str
) -> None:
    services = {"web": {**keys, "sysctls": {setting: "1"}}}
    found = list(engine_refusals.problems(services, "shop"))
    where = f"shop/compose.yaml: services.web.sysctls.{setting}"
    assert [problem.where for problem in found] == ([where] if key else [])
    if key:
        assert f"`{key}: host`" in found[0].what

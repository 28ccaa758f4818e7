# ruff: noqa: E501 -- tables: one line for each form
"""Every key of a service, network and volume in the Compose specification, in each of its forms.

Source: schema/compose-spec.json of https://github.com/compose-spec/compose-spec, read with 05-services.md,
06-networks.md and 07-volumes.md there. ``NEWER`` has what Compose 2.26 does not know yet.
"""

from __future__ import annotations

from typing import Any

# Text that a reader of YAML may take for something else.
TRICKY = {
    "A": "0123", "B": "1e5", "C": "0o17", "D": "yes", "E": "1.10", "F": "", "G": "null",
    "H": "12:30:45", "I": "2024-01-01", "J": "# no comment", "K": " spaces ", "L": "a\nb\n",
    "M": "- x", "N": "{a}", "O": "'", "P": '"', "Q": "~", "R": "=", "S": "<<", "T": "a: b",
    "U": "\\n", "V": "ünï", "W": "$$HOME", "X": "0x1F", "Y": "+5", "Z": "-1", "AA": "1_000", "AB": "*x",
    "AC": "&x", "AD": "!x", "AE": "%x", "AF": "@x", "AG": "`x", "AH": ".5", "AI": ".inf", "AJ": ".NaN",
    "AK": "true", "AL": "off", "AM": "a\r\nb", "AN": "tab\there", "AO": "\u0085\u2028", "AP": "x" * 200,
    "AQ": "? x", "AR": "--- x", "AS": "trailing ", "AT": "|", "AU": ">", "AV": "0b1", "AW": "1:30",
}  # fmt: skip

SERVICE: dict[str, list[Any]] = {
    "annotations": [{"a.b/c": "d"}, ["a=b"], TRICKY],
    "attach": [True, False],
    "blkio_config": [
        {
            "weight": 300,
            "weight_device": [{"path": "/dev/sda", "weight": 400}],
            "device_read_bps": [{"path": "/dev/sdb", "rate": "12mb"}],
            "device_read_iops": [{"path": "/dev/sdb", "rate": 120}],
            "device_write_bps": [{"path": "/dev/sdb", "rate": "1024k"}],
            "device_write_iops": [{"path": "/dev/sdb", "rate": 30}],
        }
    ],
    "cap_add": [["NET_ADMIN", "ALL"]],
    "cap_drop": [["NET_ADMIN"]],
    "cgroup": ["host", "private"],
    "cgroup_parent": ["m-executor-abcd"],
    "command": ["sleep 5", ["sleep", "5"], [], "", ["sh", "-c", "echo $$HOME"], ["-1", "yes", "0123", "1e5"]],
    "container_name": ["one"],
    "cpu_count": [2],
    "cpu_percent": [50],
    "cpu_period": [50000],
    "cpu_quota": [50000, -1],
    "cpu_rt_period": [1400],
    "cpu_rt_runtime": [95000],
    "cpu_shares": [73],
    "cpus": [0.5, "1.5", 2],
    "cpuset": ["0,1", "0-3", "0"],
    "credential_spec": [{"file": "my.json"}, {"registry": "my"}],
    "depends_on": [
        ["other"],
        {"other": {"condition": "service_healthy", "restart": True, "required": False}},
        {"other": {"condition": "service_started", "required": False}},
    ],
    "deploy": [
        {"mode": "replicated", "replicas": 3},
        {"mode": "global"},
        {"endpoint_mode": "vip"},
        {"labels": {"a": "1"}},
        {"placement": {"constraints": ["disktype=ssd"], "preferences": [{"spread": "x"}], "max_replicas_per_node": 1}},
        {"resources": {"limits": {"cpus": "0.50", "memory": "50M", "pids": 1}}},
        {"resources": {"limits": {"cpus": 0.5, "memory": "52428800"}}},
        {"resources": {"reservations": {"cpus": "0.25", "memory": "20M"}}},
        {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "driver": "nvidia", "count": 2, "options": {"v": "true"}}]}}},
        {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "count": "all"}]}}},
        {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "device_ids": ["0", "3"]}]}}},
        {"resources": {"reservations": {"generic_resources": [{"discrete_resource_spec": {"kind": "gpu", "value": 2}}]}}},
        {"restart_policy": {"condition": "on-failure", "delay": "5s", "max_attempts": 3, "window": "120s"}},
        {"rollback_config": {"parallelism": 2, "delay": "1s", "failure_action": "pause", "monitor": "5s", "max_failure_ratio": 0.2, "order": "stop-first"}},
        {"update_config": {"parallelism": 2, "delay": "1s", "failure_action": "rollback", "monitor": "5s", "max_failure_ratio": "0.2", "order": "start-first"}},
    ],
    "device_cgroup_rules": [["c 1:3 mr", "a 7:* rmw"]],
    "devices": [["/dev/ttyUSB0:/dev/ttyUSB0"], ["/dev/sda:/dev/xvda:rwm"]],
    "dns": ["8.8.8.8", ["8.8.8.8", "9.9.9.9"]],
    "dns_opt": [["use-vc", "no-tld-query"]],
    "dns_search": ["example.com", ["dc1.example.com", "dc2.example.com"]],
    "domainname": ["example.com", "0123"],
    "entrypoint": ["/entry.sh", ["/entry", "-v"], [], ["0123"]],
    "environment": [TRICKY, ["A=b", "C"], {"N": 5, "F": 1.5, "B": True, "Z": None}],
    "expose": [["3000", "8000-8010"], [3000], ["53/udp"]],
    "external_links": [["redis", "database:mysql"]],
    "extra_hosts": [["a:1.2.3.4", "b=::1"], {"a": "1.2.3.4"}, ["host.docker.internal:host-gateway"]],
    "group_add": [["mail", 5], ["0123"]],
    "healthcheck": [
        {"test": "curl -f http://localhost || exit 1"},
        {"test": ["CMD", "true", "0123"], "interval": "1m30s", "timeout": "10s", "retries": 3, "start_period": "40s", "start_interval": "5s"},
        {"test": ["CMD-SHELL", "echo $$X"], "interval": "500ms", "retries": 0},
        {"disable": True},
        {"test": ["NONE"]},
        {"test": "true", "start_period": "0s", "interval": "1h"},
    ],
    "hostname": ["web", "0123", "1e5"],
    "image": ["r.test:5000/web:1", "web@sha256:" + "0" * 64],
    "init": [True, False],
    "ipc": ["shareable", "private", "host", "service:other"],
    "isolation": ["default"],
    "labels": [TRICKY, ["a=b", "c"], {"n": 5, "b": True}],
    "links": [["other"], ["other:alias"]],
    "logging": [{"driver": "syslog", "options": {"syslog-address": "tcp://1.2.3.4:5", "max-file": "3", "max-size": "010"}}, {"driver": "none"}],
    "mac_address": ["02:42:ac:11:65:43", "00:11:22:33:44:55"],
    "mem_limit": ["64m", 67108864, "1.5g", 0],
    "mem_reservation": ["32m", 1000],
    "mem_swappiness": [0, 60],
    "memswap_limit": [-1, "128m", 0],
    "network_mode": ["host", "none", "service:other", "bridge"],
    "networks": [
        ["front", "back"],
        {"front": None},
        {"front": {"aliases": ["a", "0123"], "ipv4_address": "172.16.238.10", "ipv6_address": "2001:3984:3989::10", "link_local_ips": ["57.123.22.11"], "priority": 1000, "mac_address": "02:42:ac:11:65:44"}},
    ],
    "oom_kill_disable": [True, False],
    "oom_score_adj": [-1000, 0, 500],
    "pid": ["host", "service:other"],
    "pids_limit": [10, -1, 0],
    "platform": ["linux/amd64"],
    "ports": [
        ["3000", "3000-3005", "8000:8000", "9090-9091:8080-8081", "49100:22", "127.0.0.1:8001:8001", "6060:6060/udp", "[::1]:6061:6061"],
        [3000, 22],
        [{"target": 80, "published": "8080", "protocol": "tcp", "mode": "host", "host_ip": "127.0.0.1", "name": "web", "app_protocol": "http"}],
        [{"target": 80, "published": 8080}],
        [{"target": 80, "published": "8000-9000"}],
    ],
    "privileged": [True, False],
    "profiles": [["a", "b"], ["0123"]],
    "pull_policy": ["always", "never", "missing", "build"],
    "read_only": [True, False],
    "restart": ["no", "always", "on-failure", "on-failure:3", "unless-stopped"],
    "runtime": ["runc"],
    "scale": [2],
    "security_opt": [["label:user:USER", "no-new-privileges:true", "seccomp:unconfined"]],
    "shm_size": ["64m", 67108864, "2gb"],
    "stdin_open": [True],
    "stop_grace_period": ["1m30s", "10s", "0s", "200ms", "2h"],
    "stop_signal": ["SIGUSR1", "10"],
    "storage_opt": [{"size": "1G"}],
    "sysctls": [{"net.core.somaxconn": 1024, "net.ipv4.tcp_syncookies": "0"}, ["net.core.somaxconn=1024"]],
    "tmpfs": ["/run", ["/run", "/tmp:mode=755,size=0100"]],
    "tty": [True],
    "ulimits": [{"nice": {"soft": 0, "hard": 5}}, {"nproc": 65535, "nofile": {"soft": 20000, "hard": 40000}}, {"memlock": -1}, {"core": {"soft": -1, "hard": -1}}, {"memlock": {"soft": 0, "hard": 0}}],
    "user": ["1000", "1000:1000", "postgres", "0", "0123"],
    "userns_mode": ["host"],
    "uts": ["host"],
    "volumes": [
        ["data:/data", "data:/ro:ro", "/var/lib/x:/x:rw,z", "/anonymous", "./here:/here"],
        [{"type": "volume", "source": "data", "target": "/data", "read_only": True, "volume": {"nocopy": True, "subpath": "sub"}}],
        [{"type": "bind", "source": "/x", "target": "/y", "bind": {"propagation": "rshared", "create_host_path": False, "selinux": "z"}}],
        [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": 1000000, "mode": 0o1777}}, {"type": "tmpfs", "target": "/u", "tmpfs": {"size": "10m"}}],
        [{"type": "npipe", "source": "\\\\.\\pipe\\x", "target": "/z"}],
        [{"type": "cluster", "source": "c", "target": "/c"}],
        [{"type": "bind", "source": "/x", "target": "/y", "consistency": "cached"}],
    ],
    "volumes_from": [["other", "other:ro", "container:c:rw"]],
    "working_dir": ["/w", "/0123"],
    "x-own": [{"a": [1, "1", None, True]}],
}  # fmt: skip
SERVICE_NEWER: dict[str, list[Any]] = {
    "gpus": ["all", [{"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}]],
    "post_start": [[{"command": ["./x.sh", "$$Y"], "user": "root", "privileged": True, "environment": ["A=b"], "working_dir": "/w"}]],
    "pre_stop": [[{"command": "./x.sh"}]],
    "networks": [{"front": {"interface_name": "eth7", "gw_priority": 5, "driver_opts": {"a": "1"}}}],
    "cpus": [0.123456789],
    "use_api_socket": [False],
    "volumes": [[{"type": "image", "source": "r.test/x:1", "target": "/i", "image": {"subpath": "a"}}]],
    "healthcheck": [{"test": "true", "interval": "1d"}],
}  # fmt: skip
NETWORK: list[Any] = [
    None,
    {"driver": "overlay", "driver_opts": {"foo": "bar", "baz": 1, "com.docker.network.driver.mtu": "1450"}},
    {"attachable": True, "enable_ipv6": True, "internal": True},
    {"external": True, "name": "other"},
    {"ipam": {"driver": "default", "config": [{"subnet": "172.28.0.0/16", "ip_range": "172.28.5.0/24", "gateway": "172.28.5.254", "aux_addresses": {"host1": "172.28.1.5"}}], "options": {"foo": "bar", "baz": "0"}}},
    {"labels": TRICKY, "name": "named"},
    {"labels": ["a=b"]},
    {"enable_ipv6": False, "internal": False},
]  # fmt: skip
NETWORK_NEWER: list[Any] = [{"enable_ipv4": False}]
VOLUME: list[Any] = [
    None,
    {"driver": "local", "driver_opts": {"type": "nfs", "o": "addr=10.40.0.199,nolock,soft,rw", "device": ":/docker", "n": 5, "s": "010"}},
    {"external": True},
    {"external": True, "name": "actual"},
    {"labels": TRICKY, "name": "0123"},
    {"labels": ["a=b"]},
]  # fmt: skip


def stack(*, newer: bool) -> dict[str, Any]:
    """One Compose file: a service for each form of each key, a network and a volume for each.

    ``newer`` has what Compose 2.26 does not know as well.
    """
    services: dict[str, Any] = {"other": {"image": "r.test/other:1"}}
    for number, table in enumerate([SERVICE, SERVICE_NEWER] if newer else [SERVICE]):
        for key, forms in table.items():
            for form, value in enumerate(forms):
                services[f"{key}-{number}-{form}"] = {"image": "r.test/web:1", key: value}
    networks = dict(enumerate([*NETWORK, *NETWORK_NEWER] if newer else NETWORK))
    volumes = dict(enumerate(VOLUME))
    for number in networks:
        services[f"on-network-{number}"] = {
            "image": "r.test/web:1",
            "networks": [f"n{number}"],
        }
    for number in volumes:
        services[f"with-volume-{number}"] = {
            "image": "r.test/web:1",
            "volumes": [f"v{number}:/data"],
        }
    return {
        "services": services,
        "networks": {"front": None, "back": None, **{f"n{n}": v for n, v in networks.items()}},
        "volumes": {"data": None, "c": None, **{f"v{n}": v for n, v in volumes.items()}},
    }

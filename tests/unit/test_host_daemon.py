"""The Engine's daemon.json beside its service: whose a flag is, what is refused, what starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import Fake
from real_servers import Answer

from maestro.errors import MaestroError
from maestro.host import daemon, daemon_containers, daemon_unit
from maestro.host.engine import Engine

UNIT = """\
# /usr/lib/systemd/system/docker.service
[Unit]
Description=Docker
[Service]
EnvironmentFile=-/etc/default/docker
# a comment
ExecStart=/usr/sbin/dockerd -H fd:// \\
  --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
"""
DROP_IN = "\n# /etc/systemd/system/docker.service.d/{name}.conf\n[Service]\n{lines}\n"


OWN = "/etc/systemd/system/docker.service.d/own.conf"
DRIVER = ("storage-driver", "vfs", OWN)


def unit(drop_in: str = "", default: str = "") -> daemon_unit.Unit:
    text = UNIT + (DROP_IN.format(name="own", lines=drop_in) if drop_in else "")
    return daemon_unit.parse(text, {"/etc/default/docker": default}.get)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("drop_in", "default", "key", "value", "file"),
    [
        ("", "", "hosts", "", "/usr/lib/systemd/system/docker.service"),
        ("", 'DOCKER_OPTS="--log-driver=syslog -D"', "debug", "true", "/etc/default/docker"),
        ("", "DOCKER_OPTS=--log-driver=syslog", "log-driver", "syslog", "/etc/default/docker"),
        ("ExecStart=\nExecStart=/usr/bin/dockerd -g /srv", "", "data-root", "/srv", OWN),
        ("ExecStart=\nExecStart=/bin/dockerd --data-root /srv -D", "", "data-root", "/srv", OWN),
        ("Environment=DOCKER_OPTS=--label=a=b", "", "labels", "", OWN),
        ('Environment="DOCKER_OPTS=--userns-remap=x --ipv6"', "", "userns-remap", "x", OWN),
        ("ExecStart=\nExecStart=-/usr/bin/env dockerd --mtu=1400", "", "mtu", "1400", OWN),
        ("ExecStart=\nExecStart=/usr/bin/dockerd --add-runtime=x=/y", "", "runtimes", "", OWN),
        ("ExecStart=\nExecStart=dockerd ${DOCKER_OPTS}", "DOCKER_OPTS=-s=vfs", *DRIVER),
    ],
)  # fmt: skip
def test_which_file_gives_a_flag(
    drop_in: str, default: str, key: str, value: str, file: str
) -> None:
    found = unit(drop_in, default)
    assert found.origin(key) == file
    assert found.of("{}", key) == value


def test_a_unit_is_read_from_disk_as_systemd_would(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    for path, text in {
        lib / "docker.service": "[Service]\nExecStart=/usr/bin/dockerd\n",
        lib / "docker.service.d/b.conf": "[Service]\nEnvironment=A=lib\n",
        etc / "docker.service.d/b.conf": "[Service]\nEnvironment=A=--mtu=1\n",
        etc / "docker.service.d/c.conf": "[Service]\nExecStart=\nExecStart=dockerd $A\n",
        etc / "docker.service.d/d.txt": "[Service]\nExecStart=nothing\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    text = daemon_unit.on_disk("docker.service", [etc, lib])
    found = daemon_unit.parse(text, lambda _: "")
    assert found.origin("mtu") == str(etc / "docker.service.d/b.conf")
    assert (found.of("{}", "mtu"), len(found.files)) == ("1", 3)
    assert daemon_unit.on_disk("other.service", [etc, lib]) == ""


def test_a_service_that_starts_a_script_tells_no_flags() -> None:
    found = unit("ExecStart=\nExecStart=/usr/local/bin/start-docker --log-driver=x")
    assert (found.program, found.words) == ("", [])
    assert found.files[-1] == OWN


def test_a_flag_is_left_out_with_its_value() -> None:
    for form in ("--config-file=/x", "--config-file /x"):
        found = unit(f"ExecStart=\nExecStart=/usr/bin/dockerd -D {form} --ipv6")
        assert found.without("config-file") == ["-D", "--ipv6"]


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def engine(tmp_path: Path, fake: Fake) -> Iterator[Engine]:
    with real_servers.unix_server(tmp_path / "engine.sock", fake) as server:
        yield Engine(server.address)


@pytest.fixture
def host(tmp_path: Path, fake: Fake, engine: Engine) -> Host:
    return Host(tmp_path, fake, engine)


class Host:
    """A host with an Engine, a daemon.json, and a dockerd that says what a test wants."""

    def __init__(self, home: Path, fake: Fake, engine: Engine) -> None:
        self.home, self.fake, self.engine = home, fake, engine
        self.program = home / "dockerd"
        self.dockerd("configuration OK", 0)
        self.info()
        fake.say("GET /containers/json", [])

    def dockerd(self, says: str, code: int) -> None:
        self.program.write_text(
            f"#!/bin/sh\necho \"$@\" > {self.home}/argv\necho '{says}' >&2\nexit {code}\n"
        )
        self.program.chmod(0o755)

    def info(self, **facts: Any) -> None:
        found = {"Driver": "overlay2", "Containers": 1, "Images": 1, "Swarm": {}, **facts}
        self.fake.say("GET /info", found)

    def problems(
        self, wanted: dict[str, Any], flags: str = "", *, accept: bool = False, **before: Any
    ) -> list[str]:
        file = self.home / "daemon.json"
        file.write_text(json.dumps(before))
        found = unit(f"ExecStart=\nExecStart={self.program} {flags}")
        wish = daemon.Wish(json.dumps(wanted), accept_data=accept, file=file)
        return [str(problem) for problem in daemon.problems(wish, found, self.engine)]


def test_a_file_that_fits(host: Host) -> None:
    assert host.problems({"live-restore": True}, "-H fd:// --mtu 1400") == []
    argv = (host.home / "argv").read_text().split()
    assert argv[:2] == ["--validate", "--config-file"]
    assert argv[3:] == ["-H", "fd://", "--mtu", "1400"], "the flags of the service are judged too"


def test_keys_that_are_given_twice_are_named_with_the_file_and_no_value(host: Host) -> None:
    host.dockerd(
        "unable to configure the Docker daemon with file /x: the following directives are "
        "specified both as a flag and in the configuration file: log-driver: "
        "(from flag: a1, from file: b2), hosts: (from flag: [fd://], from file: [c3])",
        1,
    )
    found = host.problems({}, "-H fd:// --log-driver=a1")
    assert [OWN in text for text in found] == [True, True]
    assert "{log-driver: null, log-opts: null}" in found[0]
    assert "{hosts: null}" in found[1]
    assert not any(value in "".join(found) for value in ("a1", "b2", "c3"))


def test_another_file_than_ours(host: Host) -> None:
    (found,) = host.problems({}, "--config-file=/etc/other.json")
    assert "does not read" in found
    assert OWN in found


@pytest.mark.parametrize("state", ["active", "pending", "locked", "error"])
def test_a_swarm_and_live_restore(host: Host, state: str) -> None:
    host.info(Swarm={"LocalNodeState": state})
    assert "docker_engine_live_restore: false" in host.problems({"live-restore": True})[0]
    assert host.problems({"live-restore": False}) == []
    assert "in a Swarm" in host.problems({}, "--live-restore")[0], "a flag counts too"


@pytest.mark.parametrize(
    ("before", "wanted", "words"),
    [
        ({}, {"data-root": "/srv"}, "data-root is /var/lib/docker and would become /srv"),
        ({"data-root": "/srv"}, {}, "data-root is /srv and would become /var/lib/docker"),
        ({}, {"storage-driver": "vfs"}, "storage-driver is overlay2 and would become vfs"),
        ({}, {"userns-remap": "x"}, "userns-remap is none and would become x"),
        ({"features": {"containerd-snapshotter": True}}, {}, "features.containerd-snapshotter is"),
    ],
)
def test_data_that_would_not_be_found(
    host: Host, before: dict[str, Any], wanted: dict[str, Any], words: str
) -> None:
    (found,) = host.problems({"live-restore": True, **wanted}, **before)
    assert words in found
    host.info(Containers=0, Images=0)
    assert host.problems({"live-restore": True, **wanted}, **before) == [], "there is no data yet"
    host.fake.say("GET /volumes", {"Volumes": [{"Name": "data"}]})
    assert words in host.problems({"live-restore": True, **wanted}, **before)[0]


@pytest.mark.parametrize(
    ("before", "wanted", "words"),
    [
        ("", "default", "docker_engine_userns_remap: false"),
        ("default", "", "docker_engine_userns_remap: true"),
        ("own", "default", "docker_engine_daemon_options: {userns-remap: own}"),
    ],
)
def test_what_keeps_the_users_of_containers(
    host: Host, before: str, wanted: str, words: str
) -> None:
    (found,) = host.problems(
        {"live-restore": True, **({"userns-remap": wanted} if wanted else {})},
        **({"userns-remap": before} if before else {}),
    )
    assert f"keep it ({words})" in found


@pytest.mark.parametrize("wanted", [{"userns-remap": "default"}, {"data-root": "/srv"}])
def test_nothing_runs_on_without_an_engine(host: Host, wanted: dict[str, Any]) -> None:
    """With live-restore they would go on, and hold their ports and data."""
    host.fake.say(
        "GET /containers/json",
        [container("db"), container("web", "paused"), container("o", "exited")],
    )
    (found,) = host.problems({"live-restore": True, **wanted}, accept=True)
    assert "these containers run: db, web." in found
    assert "docker stop $(docker ps -q)" in found
    assert host.problems({"live-restore": True}, accept=True) == [], "nothing moves"
    host.fake.say("GET /containers/json", [container("o", "exited")])
    assert host.problems({"live-restore": True, **wanted}, accept=True) == []


def test_a_kernel_without_user_namespaces(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.info(Containers=0, Images=0)
    wanted = {"live-restore": True, "userns-remap": "default"}
    for text, refused in (("0\n", True), ("15000\n", False)):
        (host.home / "namespaces").write_text(text)
        monkeypatch.setattr(daemon, "NAMESPACES", host.home / "namespaces")
        found = host.problems(wanted)
        assert ["this kernel allows none" in text for text in found] == [True] * refused
        assert host.problems({"live-restore": True}) == []


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ({}, {"data-root": "/var/lib/docker"}),
        ({}, {"storage-driver": "overlay2"}),
        ({"storage-driver": "overlay2"}, {}),
        ({"data-root": "/srv"}, {"data-root": "/srv/"}),
    ],
)
def test_the_same_data_in_other_words(
    host: Host, before: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert host.problems({"live-restore": True, **wanted}, **before) == []


# What ran before a restart


def container(name: str, state: str = "running", **more: Any) -> dict[str, Any]:
    return {"Id": name, "Names": [f"/{name}"], "State": state, "Labels": {}, **more}


def known(fake: Fake, name: str, code: int = 137, policy: str = "no", **config: Any) -> None:
    state = {"Status": "exited", "ExitCode": code}
    found = {"State": state, "HostConfig": {"RestartPolicy": {"Name": policy}, **config}}
    fake.say(f"GET /containers/{name}/json", found)


def starts(fake: Fake) -> list[str]:
    return [item.path for item in fake.asked if item.method == "POST"]


def ran(*names: str) -> list[daemon_containers.Running]:
    return [daemon_containers.Running(name, name) for name in names]


def test_what_runs_is_noted_without_what_a_swarm_places(fake: Fake, engine: Engine) -> None:
    task = container("task", Labels={"com.docker.swarm.task": ""})
    fake.say("GET /containers/json", [container("a"), container("b", "exited"), task])
    assert daemon_containers.running(engine) == ran("a")


def test_what_does_not_run_is_started_and_a_borrower_after_its_owner(
    fake: Fake, engine: Engine
) -> None:
    fake.say("GET /containers/json", [container(n, "exited") for n in "ab"] + [container("c")])
    known(fake, "a", NetworkMode="container:b")
    known(fake, "b")
    for name in "ab":
        fake.say(f"POST /containers/{name}/start", {}, 204)
    assert daemon_containers.keep_running(engine, ran("a", "b", "c"), kept=False) == ["b", "a"]
    assert starts(fake) == ["/containers/b/start", "/containers/a/start"]


def test_a_job_that_ended_by_itself_is_not_run_again(fake: Fake, engine: Engine) -> None:
    fake.say("GET /containers/json", [container("a", "exited")])
    known(fake, "a", code=0)
    assert daemon_containers.keep_running(engine, ran("a", "gone"), kept=True) == []


def test_what_does_not_start_any_more_is_named(fake: Fake, engine: Engine) -> None:
    fake.say("GET /containers/json", [container("a", "exited")])
    known(fake, "a")
    fake.answers["POST /containers/a/start"] = Answer(500, b'{"message": "no such runtime"}')
    with pytest.raises(MaestroError, match="a: no such runtime"):
        daemon_containers.keep_running(engine, ran("a"), kept=False)
    with pytest.raises(MaestroError, match="gone: b"):
        daemon_containers.keep_running(engine, ran("b"), kept=False)


def test_containers_that_a_restart_would_remove(host: Host) -> None:
    host.fake.say("GET /containers/json", [container("once"), container("web")])
    known(host.fake, "once", AutoRemove=True)
    known(host.fake, "web")
    assert "would be gone: once" in host.problems({"live-restore": False})[0]
    assert host.problems({"live-restore": True}) == []

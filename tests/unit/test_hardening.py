"""What a service gets that says nothing, and what the profile closes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stack_models as models

from maestro.host import limits
from maestro.host.files import File
from maestro.host.labels import HASH_LABEL, PROJECT, SERVICE
from maestro.release import hardening, recorded

NNP = ["no-new-privileges:true"]


def limited(**limits: Any) -> dict[str, Any]:
    return {"deploy": {"resources": {"limits": limits}}}


@pytest.mark.parametrize(
    ("service", "pids"),
    [
        ({}, 4096),
        ({"deploy": None}, 4096),
        (limited(memory="1"), 4096),
        ({"pids_limit": 50}, None),
        ({"pids_limit": -1}, None),
        (limited(pids=50), None),
        (limited(pids=-1), None),
    ],
)
def test_processes_are_limited_where_the_file_says_nothing(
    service: dict[str, Any], pids: int | None
) -> None:
    assert hardening.facts(service).get("pids") == pids


def test_a_default_changes_no_definition() -> None:
    """The hashes of services that say nothing are those of before there were defaults."""
    release = models.rendered({"name": "shop", "services": {"one": models.service("one:1")}})
    assert release.services["one"]["pids"] == hardening.PIDS
    assert release.services["one"]["hash"] == "0d072f38c9812b24"
    assert "pids" not in release.text


def test_a_release_of_before_gets_the_limit_when_it_is_gone_back_to() -> None:
    state = models.running(models.shop())
    manifest = state["release"]
    for facts in manifest["services"].values():
        facts.pop("pids", None)
    assert recorded.read(manifest, state["file"]).services["web"]["pids"] == hardening.PIDS


@pytest.mark.parametrize(
    ("service", "closed"),
    [
        ({}, {"read_only": True, "tmpfs": ["/tmp", "/run"], "cap_drop": ["ALL"]}),
        ({"read_only": True}, {"read_only": True, "cap_drop": ["ALL"]}),
        (
            {"tmpfs": ["/tmp:size=1m,exec"]},
            {"read_only": True, "tmpfs": ["/tmp:size=1m,exec", "/run"], "cap_drop": ["ALL"]},
        ),
        (
            {"tmpfs": "/run"},
            {"read_only": True, "tmpfs": ["/run", "/tmp"], "cap_drop": ["ALL"]},
        ),
        (
            {"volumes": [{"type": "volume", "source": "x", "target": "/tmp/"}]},
            {
                "volumes": [{"type": "volume", "source": "x", "target": "/tmp/"}],
                "read_only": True,
                "tmpfs": ["/run"],
                "cap_drop": ["ALL"],
            },
        ),
        (
            {"cap_drop": ["NET_RAW"]},
            {"read_only": True, "tmpfs": ["/tmp", "/run"], "cap_drop": ["NET_RAW"]},
        ),
        (
            {"cap_add": ["CHOWN"]},
            {
                "cap_add": ["CHOWN"],
                "read_only": True,
                "tmpfs": ["/tmp", "/run"],
                "cap_drop": ["ALL"],
            },
        ),
        (
            {"privileged": True},
            {"privileged": True, "read_only": True, "tmpfs": ["/tmp", "/run"]},
        ),
        (
            {"security_opt": ["no-new-privileges:false"]},
            {
                "security_opt": ["no-new-privileges:false"],
                "read_only": True,
                "tmpfs": ["/tmp", "/run"],
                "cap_drop": ["ALL"],
            },
        ),
        (
            {"security_opt": ["label=level:s0"]},
            {
                "security_opt": ["label=level:s0", *NNP],
                "read_only": True,
                "tmpfs": ["/tmp", "/run"],
                "cap_drop": ["ALL"],
            },
        ),
    ],
)
def test_what_the_profile_closes(service: dict[str, Any], closed: dict[str, Any]) -> None:
    hardening.harden(service)
    assert service == {"security_opt": NNP, **closed}


def test_a_root_that_the_file_keeps_open() -> None:
    service: dict[str, Any] = {}
    hardening.harden(service, writable=True)
    assert service == {"security_opt": NNP, "cap_drop": ["ALL"]}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (True, ["db", "web"]),
        (["web"], ["web"]),
        (False, []),
        ([], []),
        (None, []),
    ],
)
def test_whom_the_profile_is_for(said: Any, names: list[str]) -> None:
    model = models.shop()
    model["x-maestro"] = {**models.EXTENSION, **({} if said is None else {"hardened": said})}
    before = models.rendered(models.shop())
    release = models.rendered(model)
    for name, facts in release.services.items():
        assert (facts["hash"] != before.services[name]["hash"]) is (name in names)
        assert ("cap_drop" in release.compose["services"][name]) is (name in names)
    migration = release.compose["services"]["migrate"]
    assert ("cap_drop" in migration) is (said is True)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["services: {a: {read_only: false}, b: {read_only: true}, c: {}}"], {"a"}),
        (["services: {a: {read_only: false}}", "services: {a: {read_only: true}}"], set()),
        (["services: {a: {read_only: true}}", "services: {a: {read_only: false}}"], {"a"}),
        (["x-s: &s {read_only: false}\nservices: {a: {<<: *s}}"], {"a"}),
        (["services: [a]"], set()),
        (["services:"], set()),
        (["services: {a: {read_only: 'no'}}"], set()),
    ],
)
def test_read_only_false_is_read_from_the_files(texts: list[str], found: set[str]) -> None:
    files = {f"{n}.yaml": File(text.encode()).as_json() for n, text in enumerate(texts)}
    assert hardening.writable(files, [*sorted(files), "gone.yaml"]) == found


ALL = {"memory": "1", "pids": 1}
SERVICES: dict[str, dict[str, Any]] = {
    "bare": {},
    "full": {
        **limited(memory="67108864"),
        "security_opt": NNP,
        "logging": {"options": {"max-size": "1m"}},
    },
    "old": {"mem_limit": "67108864", "security_opt": ["no-new-privileges:false"]},
    "journal": {"mem_limit": -1, "logging": {"driver": "journald"}},
}
SAFE = {"no_new_privileges": True, "log_rotation": True}
MEMORY = "no memory limit (deploy.resources.limits.memory): "


@pytest.mark.parametrize(
    ("fresh", "engine", "said"),
    [
        (["full"], SAFE, []),
        (["full"], {"no_new_privileges": False, "log_rotation": False}, []),
        ([], {"no_new_privileges": False, "log_rotation": False}, []),
        (["old"], {}, []),
        (["journal", "bare", "gone"], SAFE, [f"{MEMORY}bare, journal "]),
        (
            list(SERVICES),
            {"no_new_privileges": False, "log_rotation": True},
            [f"{MEMORY}bare, journal ", "no `security_opt: [no-new-privileges:true]`: bare, jour"],
        ),
        (
            list(SERVICES),
            {"no_new_privileges": True, "log_rotation": False},
            [f"{MEMORY}bare, journal ", "no log rotation (logging.options.max-size): bare, old;"],
        ),
    ],
)
def test_the_plan_names_once_who_goes_without(
    fresh: list[str], engine: dict[str, bool], said: list[str]
) -> None:
    found = hardening.missing(SERVICES, fresh, engine)
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


class Engine:
    """Containers and what is asked to be changed about them."""

    def __init__(self, **pids: int | None) -> None:
        self.pids = pids
        self.asked: list[tuple[str, Any]] = []

    def containers(self, label: str = "") -> list[dict[str, Any]]:
        del label
        labels = {PROJECT: "shop", HASH_LABEL: "x", "com.docker.compose.config-hash": "y"}
        found = [{"Id": n, "Labels": {**labels, SERVICE: n}} for n in self.pids]
        return [*found, {"Id": "hand", "Labels": {**labels, SERVICE: "none", HASH_LABEL: ""}}]

    def find(self, container: str) -> dict[str, Any]:
        return {"HostConfig": {"PidsLimit": self.pids[container]}}

    def request(self, method: str, path: str, *, body: Any) -> tuple[int, bytes]:
        assert method == "POST"
        self.asked.append((path, body))
        return (500, b"") if "refuses" in path else (200, b"{}")


def test_only_what_has_no_limit_is_given_one() -> None:
    engine: Any = Engine(none=None, zero=0, endless=-1, own=50, said=None, refuses=None)
    services = {name: {"pids": 4096} for name in engine.pids if name != "said"}
    assert limits.apply(engine, "shop", services) == ["none", "zero", "endless"]
    body = {"PidsLimit": 4096}
    paths = [f"/containers/{name}/update" for name in ("none", "zero", "endless", "refuses")]
    assert engine.asked == [(path, body) for path in paths]
    engine.asked.clear()
    limits.apply(engine, "shop", services, ["zero"])
    limits.apply(engine, "shop", {name: {} for name in engine.pids})
    assert engine.asked == [("/containers/zero/update", body)]


@pytest.mark.parametrize(
    ("driver", "text", "rotated"),
    [
        ("json-file", '{"log-opts": {"max-size": "10m"}}', True),
        ("json-file", '{"log-opts": {"max-file": "3"}}', False),
        ("json-file", "{}", False),
        ("json-file", "[]", False),
        ("json-file", "{", False),
        ("json-file", None, False),
        ("local", None, True),
        ("journald", "{}", True),
    ],
)
def test_what_the_engine_gives_all_containers(
    driver: str, text: str | None, rotated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DAEMON", tmp_path / "daemon.json")
    monkeypatch.setattr(limits, "PROCESS", tmp_path / "docker.pid")
    if text is not None:
        (tmp_path / "daemon.json").write_text(text)
    info = {"LoggingDriver": driver, "SecurityOptions": ["name=seccomp,profile=builtin"]}
    assert limits.of_engine(info) == {"no_new_privileges": False, "log_rotation": rotated}
    info["SecurityOptions"] = json.loads('["name=no-new-privileges"]')
    assert limits.of_engine(info)["no_new_privileges"]

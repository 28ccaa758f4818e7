"""Containers of a stack's project that no release made: what a plan does, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import release_models
import stack_models as models

from maestro.errors import MaestroError
from maestro.host import adoption as kept
from maestro.host import lease, release, strangers
from maestro.host.labels import CONFIG_FILES
from maestro.host.layout import Layout
from maestro.plan import adoption, compare, reasons, records, rollback, rotation
from maestro.secrets import renewal

LAYOUT = Layout(Path("/opt/maestro"), "shop")
OURS = {
    "maestro.service-hash": "h1",
    CONFIG_FILES: "/opt/maestro/shop/releases/1/compose.yaml",
}


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        (OURS, True),
        # `docker compose up` by hand, in the directory of the running release.
        ({**OURS, CONFIG_FILES: "/opt/maestro/shop/current/compose.yaml"}, True),
        ({**OURS, CONFIG_FILES: "/srv/shop/compose.yaml"}, False),
        ({**OURS, CONFIG_FILES: "/opt/maestro/shop2/releases/1/compose.yaml"}, False),
        (
            {
                **OURS,
                CONFIG_FILES: f"{OURS[CONFIG_FILES]},/srv/override.yaml",
            },
            False,
        ),
        ({CONFIG_FILES: OURS[CONFIG_FILES]}, False),
        ({}, False),
    ],
)
def test_which_containers_are_ours(
    labels: dict[str, str], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layout, "current_id", lambda _: "2")
    assert strangers.made_here(LAYOUT, labels) == ours


def test_without_a_release_only_what_comes_is_ours(tmp_path: Path) -> None:
    """The record of the rest is lost: nobody could bring it back once it is gone."""
    layout = Layout(tmp_path, "shop")
    labels = {**OURS, CONFIG_FILES: str(layout.compose_file("1"))}
    assert not strangers.made_here(layout, labels)
    assert strangers.labelled(layout, labels), "a removal takes it all the same"
    layout.release("1").mkdir(parents=True)
    assert strangers.made_here(layout, labels)
    (layout.release("1") / "release.json").write_text("{}")
    assert not strangers.made_here(layout, labels)
    # A link to a release whose manifest is lost says no more than no link.
    layout.current.symlink_to("releases/2")
    assert layout.current_id() == ""
    assert not strangers.made_here(layout, labels)
    layout.current.unlink()
    layout.current.symlink_to("releases/1")
    assert strangers.made_here(layout, labels)
    # It is what serves, and only its manifest is lost: nothing that comes.
    (layout.release("1") / "release.json").unlink()
    assert not strangers.made_here(layout, labels)
    release.sweep(layout)
    assert layout.release("1").is_dir()


def test_a_first_release_that_is_being_committed_is_ours(tmp_path: Path) -> None:
    """Its manifest is written and nothing leads to it yet: the lease knows it."""
    layout = Layout(tmp_path, "shop")
    labels = {**OURS, CONFIG_FILES: str(layout.compose_file("1"))}
    layout.release("1").mkdir(parents=True)
    (layout.release("1") / "release.json").write_text("{}")
    assert not strangers.made_here(layout, labels)
    whose = {"token": "t1", "by": "me", "purpose": "a test", "release": "1", "serves": ""}
    lease.acquire(layout, {**whose, "limit": 60, "timeout": 60, "armed": True})
    assert strangers.made_here(layout, labels)


def stranger(service: str, number: int = 0, **facts: Any) -> dict[str, Any]:
    foreign = {"made_from": "/srv/shop", "volumes": {}, "borrows": [], "ports": [], **facts}
    return models.container(service, "", number, foreign=foreign)


def decided(*containers: dict[str, Any], released: bool = False, **asked: bool) -> dict[str, Any]:
    """Steps, warnings and refusals of a plan for the sample stack."""
    model = models.shop()
    rendered = models.rendered(model)
    state = models.running(model) if released else models.bare()
    state["containers"] = [*(state["containers"] if released else []), *containers]
    said = adoption.Asked(**asked)
    wish = {
        "stack": "shop",
        "version": "v1",
        "model": model,
        "extension": {},
        "routes": [],
        "remove_unnamed": said.remove_unnamed,
    }
    found = compare.decide("h1", "staging", rendered, state, images=models.images(model), wish=wish)
    refused = adoption.problems("h1", "shop", rendered.compose, rendered.services, state, said)
    return {
        "steps": {step.service: step for step in found.steps},
        "told": adoption.warnings(rendered.services, state, said),
        "refused": [str(problem) for problem in refused],
    }


def test_nothing_is_taken_over_unasked() -> None:
    found = decided(stranger("web"), stranger("cron"))
    (refused,) = found["refused"]
    assert "shop-web-1 (from /srv/shop), shop-cron-1 (from /srv/shop)" in refused
    assert "-e adopt=true takes over shop-web-1; shop-cron-1 stays as it is" in refused
    # Even where the stack names none of them, as long as no release serves.
    assert decided(stranger("cron"))["refused"]
    assert decided(stranger("cron"), remove_unnamed=True)["refused"]
    assert decided(stranger("web"), released=True)["refused"]


def test_what_the_stack_names_is_taken_over_and_the_rest_stays() -> None:
    found = decided(stranger("web"), stranger("web", 1), stranger("cron"), adopt=True)
    assert found["refused"] == []
    assert found["steps"]["web"].action == records.REPLACE
    assert tuple(map(reasons.shown, found["steps"]["web"].reasons)) == (
        "takes over shop-web-1, made from /srv/shop",
        "takes over shop-web-2, made from /srv/shop",
    )
    assert found["steps"]["db"].action == records.CREATE
    assert "cron" not in found["steps"]
    assert "shop-cron-1 (service cron) was not deployed by Maestro" in found["told"][0]
    later = decided(stranger("cron"), released=True)
    assert later["refused"] == []
    assert {step.action for step in later["steps"].values()} == {records.KEEP}
    assert len(later["told"]) == 1


def test_what_the_stack_does_not_name_is_removed_when_asked_for() -> None:
    for found in (
        decided(stranger("cron"), adopt=True, remove_unnamed=True),
        decided(stranger("cron"), released=True, remove_unnamed=True),
    ):
        assert found["refused"] == found["told"] == []
        assert found["steps"]["cron"].action == records.REMOVE
        assert "takes over shop-cron-1" in reasons.shown(found["steps"]["cron"].reasons[1])


@pytest.mark.parametrize(
    ("containers", "what"),
    [
        ([stranger("cron", ports=["8000/tcp"])], "port 8000/tcp of service web is taken by"),
        ([stranger("cron", ports=["8001/tcp"])], ""),
        ([stranger("web"), stranger("cron", borrows=["web-0"])], "uses a namespace of shop-web-1"),
        ([stranger("web", borrows=["web-0"])], ""),
        ([stranger("db", volumes={"/data": "other"})], "would have shop_data there"),
        ([stranger("db", volumes={"/data": ""})], "has a volume without a name at /data"),
        ([stranger("db", volumes={"/more": ""})], "would have an empty volume there"),
        ([stranger("db", volumes={"/more": "other"})], "would have an empty volume there"),
        ([stranger("db", volumes={"/data": "/srv/data"})], "has /srv/data at /data"),
        ([stranger("db", volumes={"/data": "shop_data", "/etc/x": "/srv/x"})], ""),
        ([stranger("cron", volumes={"/data": ""})], ""),
    ],
)
def test_what_cannot_be_taken_over(containers: list[dict[str, Any]], what: str) -> None:
    found = decided(*containers, adopt=True)["refused"]
    assert len(found) == bool(what)
    assert not what or what in found[0]
    if " at /" in what or "would have" in what:
        assert decided(*containers, adopt=True, accept_volume_change=True)["refused"] == []


DETAIL: dict[str, Any] = {
    "Id": "a" * 64,
    "Name": "/shop-web-1",
    "Image": "sha256:1",
    "Config": {"Image": "web:1", "Env": ["A=1"], "Hostname": "aaaaaaaaaaaa", "MacAddress": "x"},
    "HostConfig": {
        "NetworkMode": "shop_default",
        "Binds": ["shop_data:/data:rw"],
        "Mounts": None,
        "VolumesFrom": ["b:ro"],
    },
    "Mounts": [
        {"Type": "volume", "Name": "shop_data", "Destination": "/data"},
        {"Type": "volume", "Name": "c" * 64, "Destination": "/cache"},
    ],
    "NetworkSettings": {
        "Networks": {
            "shop_default": {
                "Aliases": ["web", "a" * 12],
                "IPAMConfig": {"IPv4Address": "10.1.0.9"},
                "IPAddress": "10.1.0.9",
            }
        }
    },
}


def test_what_a_container_is_made_again_from() -> None:
    body = kept.definition(DETAIL, "web:1", {"b": "new"})
    assert body["Env"] == ["A=1"]
    assert body["Image"] == "web:1"
    assert "MacAddress" not in body
    assert body["HostConfig"]["Binds"] == ["shop_data:/data:rw"]
    assert body["HostConfig"]["VolumesFrom"] == ["new:ro"]
    # A volume without a name has one here, or an empty one would come.
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "c" * 64, "Target": "/cache"}
    ]
    assert body["NetworkingConfig"]["EndpointsConfig"] == {
        "shop_default": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}, "Aliases": ["web"]}
    }


def test_borrowed_namespaces_follow_their_owner() -> None:
    host = {**DETAIL["HostConfig"], "NetworkMode": "container:b", "PidMode": "container:c"}
    body = kept.definition({**DETAIL, "HostConfig": host}, "web:1", {"b": "new"})
    assert body["HostConfig"]["NetworkMode"] == "container:new"
    assert body["HostConfig"]["PidMode"] == "container:c"
    assert not {"Hostname", "NetworkingConfig"} & set(body)


def test_no_rotation_and_no_rollback_takes_anything_over() -> None:
    there = release_models.two()
    there["containers"].append(stranger("web", 9))
    secrets = {**there, "secrets": {"db_password": ""}}
    choice = renewal.Choice(["db_password"])
    with pytest.raises(MaestroError, match="Maestro has no record of these containers"):
        rotation.decide(
            rotation.Asked("shop", "staging", choice, run=models.run()), {"h1": secrets}
        )
    with pytest.raises(MaestroError, match="Maestro has no record of these containers"):
        rollback.decide(rollback.Asked("shop", "staging", run=models.run()), {"h1": there})

"""Jessy on staging, as `make demo` leaves it, and a new version of it."""

from __future__ import annotations

import json
import re
import secrets
import threading

import pytest
from counter import Counter
from e2e import lab

TRUST = ("--cacert", ".lab/ca.crt")


def urls() -> dict[str, str]:
    """Where each staging host's edge is reached from this machine."""
    settings = lab.settings()
    return {host: f"https://127.0.0.1:{settings['ports'][host]['https']}" for host in lab.STAGING}


def get(url: str, *options: str) -> dict:
    """A JSON answer."""
    return json.loads(lab.run("curl", *TRUST, "-fsS", *options, url).ok().out)


@pytest.mark.requirement("C10")
def test_the_demo_ends_with_jessy_on_both_staging_hosts(demo: lab.Run) -> None:
    for host, url in urls().items():
        answer = get(f"{url}/api/health")
        assert answer["service"] == "jessy-api"
        assert answer["status"] == "healthy"
        assert url in demo.out, "the demo says where it runs"
        assert set(lab.containers(host, "jessy")) == {"db", "jessy-api", "jessy-core"}
    run = lab.playbook("deploy.yml", "-l", "staging").ok()
    assert run.changed(*lab.STAGING) == [0, 0]
    assert set(run.recap) == set(lab.STAGING), "no other host is touched"


def test_the_demo_again_changes_nothing(request: pytest.FixtureRequest, demo: lab.Run) -> None:
    before = {host: lab.containers(host, "jessy") for host in lab.STAGING}
    again = request.getfixturevalue("demo_again")
    assert {host: lab.containers(host, "jessy") for host in lab.STAGING} == before
    changed = [line for line in again.out.splitlines() if "changed=" in line]
    # The lab, its registry, both hosts provisioned, the images, both hosts deployed and looked at.
    assert len(changed) >= 8
    assert all("changed=0 " in line for line in changed), changed


def test_a_new_version_keeps_the_database_and_its_data(demo: lab.Run) -> None:
    version = f"e2e-{secrets.token_hex(3)}"
    lab.run("make", "images", f"VERSION={version}").ok()
    before = {host: lab.containers(host, "jessy") for host in lab.STAGING}
    note = f"kept-{secrets.token_hex(4)}"
    for url in urls().values():
        lab.run(
            *("curl", *TRUST, "-fsS", "-X", "POST", "-H", "Content-Type: application/json"),
            *("-d", json.dumps({"text": note}), f"{url}/api/notes"),
        ).ok()
    lab.playbook("deploy.yml", "-l", "staging", "-e", f"version={version}").ok()
    for host, url in urls().items():
        after = lab.containers(host, "jessy")
        assert after["db"] == before[host]["db"]
        assert after["jessy-core"] != before[host]["jessy-core"]
        assert after["jessy-api"] != before[host]["jessy-api"]
        assert get(f"{url}/api/health")["version"] == version
        assert note in lab.run("curl", *TRUST, "-fsS", f"{url}/api/notes").ok().out
        recorded = lab.manifest(host, "jessy")["services"]
        for service, container in after.items():
            image = lab.inspect(host, container)["Config"]["Image"]
            assert image == recorded[service]["image"]
    run = lab.playbook("deploy.yml", "-l", "staging").ok()
    assert run.changed(*lab.STAGING) == [0, 0]


def test_all_secrets_are_rotated_one_after_the_other(demo: lab.Run) -> None:
    before = {host: lab.manifest(host, "jessy") for host in lab.STAGING}
    run = lab.playbook("playbooks/rotate_secrets.yml", "-l", "staging").ok()
    assert len(re.findall(r"^\s*plan [0-9a-f]{12}\b", run.out, re.MULTILINE)) == 2
    for host, url in urls().items():
        last = lab.manifest(host, "jessy")
        path = f"/opt/maestro/jessy/releases/{last['previous']}/release.json"
        first = json.loads(lab.ssh(host, f"cat {path}"))
        assert first["previous"] == before[host]["id"]
        assert [first["rotated"], last["rotated"]] == [["api_token"], ["db_password"]]
        assert get(f"{url}/api/health")["status"] == "healthy"


def test_a_tag_that_moves_during_a_deploy_changes_nothing(deployed: Counter) -> None:
    """While the deploy runs, the tag flies between two images; every host gets the same one."""
    stop = threading.Event()
    move = (
        "auth=$(python3 -c \"import json; print(json.load(open('/root/.docker/config.json'))"
        "['auths']['registry.test:5000']['auth'])\"); "
        "url=https://registry.test:5000/v2/counter-web/manifests; "
        "type=application/vnd.docker.distribution.manifest.v2+json; "
        'for v in v1 v2; do curl -fsS -H "Authorization: Basic $auth" -H "Accept: $type" '
        "$url/$v > /dev/shm/$v; done; for i in $(seq %d); do for v in v2 v1; do "
        'curl -fsS -X PUT -H "Authorization: Basic $auth" -H "Content-Type: $type" '
        "--data-binary @/dev/shm/$v $url/moving; sleep 0.05; done; done"
    )
    lab.ssh("registry", move % 1)

    def keep_moving() -> None:
        while not stop.is_set():
            lab.ssh("registry", move % 20, check=False)

    mover = threading.Thread(target=keep_moving, daemon=True)
    mover.start()
    try:
        deployed.deploy("-e", "version=moving").ok()
        images = set()
        for host in lab.STAGING:
            web = lab.containers(host, "counter")["web"]
            running = lab.inspect(host, web)["Config"]["Image"]
            assert running == lab.manifest(host, "counter")["services"]["web"]["image"]
            images.add(running)
        assert len(images) == 1
    finally:
        stop.set()
        mover.join(60)
        deployed.deploy("-e", "version=v1").ok()

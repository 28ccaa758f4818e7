"""Workflows that meet: two pushes at once, and a job that is cancelled at each step of its deploy.

The lease is what holds then, and the host itself: see `forge` for what is real here. The stack
stops at the step that ``hold`` names, so that no moment has to be caught.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from direct import IMAGE, ROOT, Direct
from e2e import lab
from forge import Acting, Forge

pytestmark = pytest.mark.long

STACK = "meet"
HEALED = 150  # seconds within which a host must have put its stack in order
LABEL = "--filter label=com.docker.compose.project=meet"
QUICK = {"deploy_lease_limit": 25, "deploy_timeout": 60, "deploy_settle": 1}


def compose(hold: str) -> dict[str, Any]:
    slow = "sleep 30" if hold == "migrate" else "true"
    base = {"image": IMAGE, "init": True, "stop_grace_period": "1s"}
    web = {
        **base,
        "command": ["busybox", "httpd", "-f", "-p", "8000", "-h", "/etc"],
        "environment": {"VERSION": "${VERSION:-none}", "HOLD": hold},
        "healthcheck": {
            "test": ["CMD-SHELL", "test -e /tmp/go" if hold == "roll" else "true"],
            "interval": "1s",
            "retries": 100,
        },
    }
    migrate = {**base, "profiles": ["migrate"], "command": ["sh", "-c", slow]}
    checks = [{"name": "It serves", "tcp": {"service": "web", "port": 8000}}]
    if hold == "smoke":
        check = {"service": "web", "argv": ["sh", "-c", "touch /tmp/checked; sleep 30"]}
        checks.append({"name": "It is slow", "command": check, "timeout": 60})
    own = {"migrations": [{"service": "migrate"}], "smoke": checks}
    return {"services": {"web": web, "migrate": migrate}, "x-maestro": own}


def make(direct: Direct, home: Any) -> Forge:
    found = Forge(home, direct, STACK, **QUICK)
    found.deploys_only()
    return found


def push(forge: Forge) -> Acting:
    return forge.start("push", "ci.yml", "-j", "deploy-staging")


@pytest.fixture(scope="module")
def forge(direct: Direct, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A clone whose push was deployed."""
    found = make(direct, tmp_path_factory.mktemp("forge"))
    direct.write(STACK, compose(""))
    lab.forget(direct.host)
    push(found).ended(600).ok()
    yield found
    found.direct.remove(STACK)


def serving(direct: Direct) -> str:
    """The version that serves, whole: one container of the one service, and it is the record's."""
    (web,) = direct.containers(STACK)
    assert web["State"]["Health"]["Status"] == "healthy"
    version = str(lab.manifest(direct.host, STACK)["version"])
    assert f"VERSION={version}" in web["Config"]["Env"]
    return version


def until(acting: Acting, direct: Direct, question: str, seconds: float = 300) -> None:
    """Wait until the host answers a question with yes, while the run goes on."""
    deadline = time.monotonic() + seconds
    while not lab.ssh(direct.host, f"{question} && echo yes", check=False).strip().endswith("yes"):
        assert acting.runs, acting.out[-3000:]
        assert time.monotonic() < deadline, acting.out[-3000:]
        time.sleep(0.2)


LEASE = f"test -e {ROOT}/{STACK}/lease.json"
ONE_OFF = f"docker ps -q {LABEL} --filter label=com.docker.compose.oneoff=True | grep -q ."
STARTING = f"docker ps -q {LABEL} --filter health=starting | grep -q ."
CHECKED = (
    f"(for each in $(docker ps -q {LABEL}); do docker exec $each test -e /tmp/checked && exit; "
    "done; false)"
)
# The steps of a deploy: what holds it there, what is seen on the host then, and what serves after.
STEPS = {
    "plan": ("", "", "old"),
    "fetch": ("", LEASE, ""),
    "migrate": ("migrate", ONE_OFF, "old"),
    "roll": ("roll", STARTING, "old"),
    "smoke": ("smoke", CHECKED, "old"),
    "commit": ("", "test $(readlink {root}/current) != {before}", ""),
    "finish": ("", "grep -q done {history} && ! " + LEASE, "new"),
}


@pytest.mark.parametrize(
    ("step", "how"), [*((step, "kill") for step in STEPS), ("roll", "cancel"), ("smoke", "cancel")]
)
def test_a_job_that_ends_at(forge: Forge, step: str, how: str) -> None:
    """No lock stays, no half of a release, and what serves is the one before or the new one."""
    direct, (hold, seen, serves) = forge.direct, STEPS[step]
    home = f"{ROOT}/{STACK}"
    old, before = serving(direct), lab.ssh(direct.host, f"readlink {home}/current").strip()
    direct.write(STACK, compose(hold))
    new = forge.commit(f"End at {step}")
    acting = push(forge)
    if seen:
        history = f"<(tail -n 1 {ROOT}/.history/{STACK}.jsonl | grep {new})"
        asked = seen.replace("{root}", home).replace("{before}", before)
        until(acting, direct, asked.replace("{history}", history))
    else:
        while "Check the request" not in acting.out:
            assert acting.runs, acting.out[-3000:]
            time.sleep(0.1)
    getattr(acting, how)()
    acting.ended(60)
    direct.until(f"! {LEASE}", HEALED)
    forge.idle()
    assert serving(direct) == {"old": old, "new": new}.get(serves, serving(direct))
    direct.write(STACK, compose(""))
    if step == "finish":
        push(forge).ended(600).ok()
        assert serving(direct) == new


def test_two_pushes_at_once(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The second waits for the first, which the forge's own queue would have it do as well."""
    direct = forge.direct
    other = make(direct, tmp_path_factory.mktemp("other"))
    first, second = forge.commit("First"), other.commit("Second")
    direct.write(STACK, compose("roll"))
    one = push(forge)
    until(one, direct, STARTING)
    direct.write(STACK, compose(""))
    two = push(other)
    while "Check the request" not in two.out:
        assert two.runs, two.out[-3000:]
        time.sleep(0.1)
    lab.ssh(
        direct.host,
        f"for each in $(docker ps -q {LABEL}); do docker exec $each touch /tmp/go; done",
    )
    # Its smoke stage may see what the second makes of the host by then.
    assert f"Done: {STACK}: deploy of {first}" in " ".join(one.ended(300).out.split())
    two.ended(600).ok()
    assert serving(direct) == second
    events = direct.step("journal", stack=STACK, last=2)["events"]
    assert [event["result"] for event in events] == ["done", "done"], events
    assert first in json.dumps(events[0])
    forge.idle()


def test_two_pushes_in_one_moment(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whichever comes second waits, or is refused in one line; nothing is mixed."""
    direct = forge.direct
    other = make(direct, tmp_path_factory.mktemp("another"))
    direct.write(STACK, compose(""))
    versions = [forge.commit("One"), other.commit("Two")]
    acting = [push(forge), push(other)]
    runs = [each.ended(600) for each in acting]
    for run in runs:
        assert run.rc == 0 or "is being changed by" in run.out or "changed on this host" in run.out
    assert 0 in [run.rc for run in runs]
    assert serving(direct) in versions
    forge.idle()

"""What crashes, ends, hangs, is slow or is broken: by the word of its stack, and back as it was."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError
from maestro.report import status

FOREVER = "exec sleep 1000"
COMPLETED = {"condition": "service_completed_successfully"}
# Answers every request with the status in its environment.
WEB = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ["STATUS"]))
        self.end_headers()
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


def service(command: str, restart: str = "unless-stopped", **keys: Any) -> dict[str, Any]:
    return {
        "image": IMAGE,
        "command": ["sh", "-c", command],
        "init": True,
        "restart": restart,
        "stop_grace_period": "1s",
        **keys,
    }


def stack(**services: Any) -> dict[str, Any]:
    return {"services": services}


def checked(test: str, **keys: Any) -> dict[str, Any]:
    return {"healthcheck": {"test": ["CMD-SHELL", test], "interval": "1s", "retries": 1, **keys}}


def refused(direct: Direct, name: str, compose: dict[str, Any]) -> str:
    """What a deploy says that fails."""
    direct.write(name, compose)
    with pytest.raises(MaestroError) as caught:
        direct.deploy(name, "v2")
    return str(caught.value)


def deployed(direct: Direct, name: str, compose: dict[str, Any], version: str = "v1") -> bool:
    direct.write(name, compose)
    return direct.deploy(name, version)


def command(direct: Direct, name: str, of: str = "app") -> str:
    return str(direct.container(name, of)["Config"]["Cmd"][-1])


def shown(direct: Direct, name: str) -> str:
    state = direct.step("overview", stack=name)
    return status.table(name, {direct.host: state}, {})


@pytest.mark.both_composes
def test_a_crash_loop_replaces_nothing(direct: Direct) -> None:
    assert deployed(direct, "loop", stack(app=service(FOREVER)))
    direct.settle = 4
    for loop in (service("sleep 2; exit 7"), service("sleep 2; exit 7", **checked("true"))):
        assert "service app: crashes at start" in refused(direct, "loop", stack(app=loop))
        assert command(direct, "loop") == FOREVER
    direct.settle = 2
    assert not deployed(direct, "loop", stack(app=service(FOREVER)))
    # One that crashes later is shown.
    lab.ssh(direct.host, "kill -9 $(docker inspect --format {{.State.Pid}} loop-app-1)")
    direct.until("docker inspect --format {{.RestartCount}} loop-app-1 | grep 1")
    assert "no: restarted 1 time" in shown(direct, "loop")


def test_what_serves_and_crashes_soon_after_is_not_committed(direct: Direct) -> None:
    """Its health check succeeds and the edge has its answers before it ends."""

    def routed(then: str) -> dict[str, Any]:
        app = service(f"busybox httpd -p 8000 -h /etc; {then}", **checked("true"))
        route = {"service": "app", "port": 8000, "host": "soon.test", "health": ["/hostname"]}
        return {**stack(app=app), "x-maestro": {"routes": [route]}}

    deployed(direct, "soon", routed(FOREVER))
    assert "service app: crashes at start" in refused(direct, "soon", routed("sleep 2; exit 7"))
    assert command(direct, "soon").endswith(FOREVER)


@pytest.mark.long
@pytest.mark.parametrize(
    ("work", "restart"), [("sleep 2; exit 0", "always"), ("sleep 4; exit 7", "on-failure")]
)
def test_other_crash_loops(direct: Direct, work: str, restart: str) -> None:
    deployed(direct, "loops", stack(app=service(FOREVER), old=service(FOREVER)))
    direct.settle = 10
    loop = stack(app=service(work, restart, deploy={"replicas": 2}), old=service(FOREVER))
    assert "service app: crashes at start" in refused(direct, "loops", loop)
    direct.settle = 2
    assert not deployed(direct, "loops", stack(app=service(FOREVER), old=service(FOREVER)))


@pytest.mark.both_composes
def test_a_crash_loop_gives_its_port_back(direct: Direct) -> None:
    port = 18431
    old = service("exec busybox httpd -f -p 8000 -h /tmp", ports=[f"{port}:8000"])
    assert deployed(direct, "hold", stack(old=old))
    # In the pauses between its starts the Engine does not list the port.
    crashing = service("exit 1", ports=[f"127.0.0.1:{port}:8000"])
    assert "service new: crashes at start" in refused(direct, "hold", stack(new=crashing))
    assert direct.container("hold", "old")["State"]["Running"]
    assert not deployed(direct, "hold", stack(old=old))


def test_a_job_runs_once(direct: Direct) -> None:
    def jobs(work: str, **keys: Any) -> dict[str, Any]:
        log = {"volumes": ["log:/log"]}
        return {
            "services": {
                "job": service(f"echo run >> /log/n; {work}", "no", **log, **keys),
                "app": service(FOREVER, depends_on={"job": COMPLETED}),
            },
            "volumes": {"log": {}},
        }

    runs = 'wc -l < "$(docker volume inspect --format {{.Mountpoint}} jobs_log)/n"'
    assert deployed(direct, "jobs", jobs("sleep 3"))
    assert not deployed(direct, "jobs", jobs("sleep 3"))
    assert "job (done)" in direct.plan("jobs")
    assert "job      done" in shown(direct, "jobs")
    assert lab.ssh(direct.host, runs).strip() == "1"
    # One that fails is no release; the job it replaced was done, and is not done again.
    said = refused(direct, "jobs", jobs("sleep 3; echo no room; exit 3"))
    assert "service job: exited with code 3" in said
    assert "    no room" in said
    assert lab.ssh(direct.host, runs).strip() == "2"
    assert not deployed(direct, "jobs", jobs("sleep 3"))
    assert deployed(direct, "jobs", jobs("true", environment={"NEW": "1"}), "v3")
    assert lab.ssh(direct.host, runs).strip() == "3"
    # Nor is it when its container goes, as with `docker container prune`.
    lab.ssh(direct.host, "docker rm jobs-job-1")
    assert "job      done" in shown(direct, "jobs")
    assert not deployed(direct, "jobs", jobs("true", environment={"NEW": "1"}), "v3")
    assert lab.ssh(direct.host, runs).strip() == "3"


def test_stopping_and_starting_have_their_own_time(direct: Direct) -> None:
    slow = service("trap 'sleep 4; exit 0' TERM; while :; do sleep 0.1; done", init=False)
    slow["stop_grace_period"] = "60s"
    up = checked("test -e /tmp/up", start_period="20s")
    late = service("sleep 4; touch /tmp/up; exec sleep 1000", **up)
    assert deployed(direct, "slow", stack(app=slow))
    direct.timeout = 2
    try:
        assert deployed(direct, "slow", stack(app=late), "v2")
    finally:
        direct.timeout = 30
    broken = service(FOREVER, **checked("echo no route to db; exit 1"))
    said = refused(direct, "slow", stack(app=broken))
    assert "service app: is unhealthy" in said
    assert "last health check of app (exit code 1):\n    no route to db" in said
    assert direct.container("slow", "app")["Config"]["Cmd"] == late["command"]


@pytest.mark.both_composes
def test_paused_and_half_renamed_containers_are_replaced(direct: Direct) -> None:
    assert deployed(direct, "still", stack(app=service(FOREVER)))
    lab.ssh(direct.host, "docker pause still-app-1")
    assert "start     app  is paused" in direct.plan("still")
    assert direct.deploy("still")
    lab.ssh(direct.host, "docker pause still-app-1")
    assert "exited with code 3" in refused(direct, "still", stack(app=service("exit 3", "no")))
    assert direct.container("still", "app")["State"]["Status"] == "running"
    # Compose was killed after it removed the old container.
    lab.ssh(
        direct.host,
        "docker stop --time 0 still-app-1; docker rename still-app-1 0123456789ab_still-app-1",
    )
    assert deployed(direct, "still", stack(app=service(FOREVER, environment={"NEW": "1"})))
    assert direct.container("still", "app")["Name"] == "/still-app-1"


def test_a_route_without_a_check_must_be_answered(direct: Direct) -> None:
    def web(code: int, order: str) -> dict[str, Any]:
        app = service("", environment={"STATUS": str(code), "ORDER": order})
        app |= {"command": ["python3", "-c", WEB], "deploy": {"update_config": {"order": order}}}
        routes = [{"service": "app", "port": 8000, "host": "least.test"}]
        return stack(app=app) | {"x-maestro": {"routes": routes}}

    assert deployed(direct, "least", web(404, "start-first"))
    assert "GET / is answered with a status below 500" in _plan(
        direct, "least", web(302, "start-first")
    )
    direct.timeout = 3
    try:
        for order in ("start-first", "stop-first"):
            said = refused(direct, "least", web(500, order))
            assert "has no health check, and GET / at port 8000 got status 500 for 3 s" in said
            (kept,) = direct.containers("least")
            assert "STATUS=404" in kept["Config"]["Env"]
    finally:
        direct.timeout = 30


def _plan(direct: Direct, name: str, compose: dict[str, Any]) -> str:
    direct.write(name, compose)
    return direct.plan(name, "v2")


@pytest.mark.both_composes
def test_what_can_serve_of_a_release_serves(direct: Direct) -> None:
    def shop(version: str, spoils: str = "true") -> dict[str, Any]:
        whole = f"{spoils}; test ! -e /data/bad || {{ echo corrupt; exit 5; }}; {FOREVER}"
        keys = {"environment": {"V": version}}
        db = service(whole, volumes=["data:/data"], **keys)
        app = service(FOREVER, depends_on=["db"], **keys)
        return stack(db=db, app=app, other=service(FOREVER, **keys)) | {"volumes": {"data": {}}}

    assert deployed(direct, "half", shop("1"))
    said = refused(direct, "half", shop("2", "touch /data/bad"))
    assert "is running without db" in said
    assert "    corrupt" in said
    for name in ("app", "other"):
        found = direct.container("half", name)
        assert found["State"]["Status"] == "running"
        assert "V=1" in found["Config"]["Env"]
    assert "NOT WHOLE: release" in shown(direct, "half")
    record = yaml.safe_load(lab.ssh(direct.host, "cat /opt/maestro/half/recovery.json"))
    assert record["next"] - record["since"] == pytest.approx(10, abs=1)
    # The host tries again by itself once it can work.
    lab.ssh(direct.host, 'rm "$(docker volume inspect --format {{.Mountpoint}} half_data)/bad"')
    direct.until("! test -e /opt/maestro/half/recovery.json", 60)
    assert "NOT WHOLE" not in shown(direct, "half")

    assert "is running without db" in refused(direct, "half", shop("2", "touch /data/bad"))
    assert "could not be restored completely: db is missing" in direct.plan("half", "v3")
    # A deploy of what works goes over it.
    assert deployed(direct, "half", shop("3", "rm -f /data/bad"), "v3")
    direct.until("! test -e /opt/maestro/half/recovery.json", 1)

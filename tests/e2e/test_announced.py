"""What a deploy announces is what a recording of the Engine's events shows, service by service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from e2e import lab
from relay import STACK, Relay

HOST = "staging-1"
ACTIONS = ("create", "replace", "start", "scale", "remove", "keep")
Model = dict


@dataclass(frozen=True)
class Change:
    """One change: how it comes about, and what a reader of the stack's file expects of it."""

    name: str
    edit: Callable[[Model], None] = lambda model: None  # of the stack's Compose file
    config: str = ""  # the new text of the stack's config
    secret: bool = False  # whether the secret gets a new value
    before: Callable[[Relay], None] = lambda relay: None  # done to the host by hand
    version: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] | None = field(default_factory=dict)  # all others are kept
    refused: str = ""


def service(name: str, **keys: object) -> Callable[[Model], None]:
    """Give keys of a service new values; None takes one away."""

    def edit(model: Model) -> None:
        for key, value in keys.items():
            if value is None:
                model["services"][name].pop(key, None)
            else:
                model["services"][name][key] = value

    return edit


def deployed(name: str, **keys: object) -> Callable[[Model], None]:
    """Give keys of a service's `deploy` new values."""
    return lambda model: model["services"][name]["deploy"].update(keys)


def idle(model: Model) -> None:
    """A further service."""
    model["services"]["idle"] = {
        "image": model["services"]["redis"]["image"],
        "command": ["sleep", "100000"],
        "init": True,
        "networks": ["backend"],
        "restart": "unless-stopped",
        "stop_grace_period": "2s",
        "deploy": {"resources": {"limits": {"memory": "32m", "cpus": "0.1"}}},
    }


def volume(name: str) -> Callable[[Model], None]:
    """Give the further service a named volume."""

    def edit(model: Model) -> None:
        model["volumes"][name] = {}
        model["services"]["idle"]["volumes"] = [f"{name}:/kept"]

    return edit


def without(name: str) -> Callable[[Model], None]:
    """Take a service away."""
    return lambda model: model["services"].pop(name)


def by_hand(name: str, command: str) -> Callable[[Relay], None]:
    """Run a shell command on the host; $ID is one container of the service, $PID its process."""

    def strike(_relay: Relay) -> None:
        lab.ssh(
            HOST,
            f"ID=$(docker ps -q --filter label=com.docker.compose.project={STACK} "
            f"--filter label=com.docker.compose.service={name} | head -1); "
            "PID=$(docker inspect --format '{{.State.Pid}}' $ID); " + command,
        )

    return strike


STRAY = (
    "docker run --detach --name stray --label com.docker.compose.project=relay "
    "--label com.docker.compose.service=stray --label com.docker.compose.oneoff=False "
    "$(docker inspect --format '{{.Image}}' $ID) sleep 100000"
)
# The worker's own process stands still, so that it gives no sign of life any more.
FREEZE = (
    "pkill -STOP --parent $PID; for _ in $(seq 120); do "
    "[ $(docker inspect --format '{{.State.Health.Status}}' $ID) = unhealthy ] && exit; "
    "sleep 0.5; done; exit 1"
)

CHANGES = [
    Change("nothing"),
    Change("image", version="v2", expected={"web": "replace", "worker": "replace"}),
    Change(
        "environment",
        edit=lambda model: model["services"]["web"]["environment"].update(EXTRA="1"),
        expected={"web": "replace"},
    ),
    Change("a variable", variables={"GREETING": "salut"}, expected={"web": "replace"}),
    Change("config", config='{"colour": "green"}', expected={"web": "replace"}),
    Change("secret", secret=True, expected={"web": "replace"}),
    Change("label", variables={"TEAM": "red"}, expected={"web": "replace"}),
    Change(
        "memory limit",
        edit=deployed("worker", resources={"limits": {"memory": "72m", "cpus": "0.5"}}),
        expected={"worker": "replace"},
    ),
    Change("more replicas", variables={"WEB_REPLICAS": "3"}, expected={"web": "scale"}),
    Change("fewer replicas", variables={"WEB_REPLICAS": "1"}, expected={"web": "scale"}),
    Change("new service", edit=idle, expected={"idle": "create"}),
    Change(
        "command",
        edit=service("idle", command=["sleep", "200000"]),
        expected={"idle": "replace"},
    ),
    Change(
        "health check",
        edit=service("idle", healthcheck={"test": ["CMD", "true"], "interval": "1s"}),
        expected={"idle": "replace"},
    ),
    Change("network", edit=service("idle", networks=["default"]), expected={"idle": "replace"}),
    Change("new volume", edit=volume("kept"), expected={"idle": "replace"}),
    Change("renamed volume", edit=volume("renamed"), refused="volume"),
    Change("user", edit=service("idle", user="1001:1001"), expected={"idle": "replace"}),
    Change("removed service", edit=without("idle"), expected={"idle": "remove"}),
    Change("depends_on alone", edit=service("worker", depends_on=None)),
    Change(
        "order alone", edit=deployed("web", update_config={"order": "start-first"}), expected=None
    ),
    Change(
        "stop_grace_period",
        edit=service("worker", stop_grace_period="12s"),
        expected={"worker": "replace"},
    ),
    Change(
        "stopped container",
        before=by_hand("web", "docker stop --time 5 $ID"),
        expected={"web": "start"},
    ),
    Change(
        "container removed by hand",
        before=by_hand("worker", "docker rm --force $ID"),
        expected={"worker": "create"},
    ),
    Change(
        "unhealthy container",
        before=by_hand("worker", FREEZE),
        expected={"worker": "replace"},
    ),
    Change("container of no service", before=by_hand("redis", STRAY), expected={"stray": "remove"}),
    Change(
        "the store's own settings",
        edit=service("redis", command=["redis-server", "--dir", "/data", "--save", ""]),
        expected={"redis": "replace"},
    ),
    Change("all back", version="v1", expected=None),
]


class Stand:
    """The stack's files as they are now: each change is made to what the one before left."""

    def __init__(self, home: Path, relay: Relay) -> None:
        self.relay = replace(relay, stacks=str(home))
        self._directory = home / STACK
        source = lab.PROJECT / "tests" / "stacks" / STACK
        shutil.copytree(source / "config", self._directory / "config")
        self._model = yaml.safe_load((source / "compose.yaml").read_text(encoding="utf-8"))
        # What stands in both files is written out once.
        self._model = json.loads(json.dumps(self._model))
        self._variables: dict[str, str] = {}

    def make(self, change: Change) -> lab.Run:
        """Make a change and deploy; a refused one is taken back."""
        kept = json.dumps(self._model), dict(self._variables)
        change.edit(self._model)
        self._variables.update(change.variables)
        if change.config:
            (self._directory / "config" / "settings.json").write_text(change.config)
        if change.secret:
            self.relay.new_key()
        run = self.deploy(change.version)
        if change.refused:
            self._model, self._variables = json.loads(kept[0]), kept[1]
        return run

    def deploy(self, version: str = "") -> lab.Run:
        """Deploy the files as they are."""
        text = yaml.safe_dump(self._model, sort_keys=False)
        (self._directory / "compose.yaml").write_text(text)
        return self.relay.deploy(version, limit=HOST, **self._variables)


class Recording:
    """The Engine's events of the stack's containers while the block runs."""

    def __init__(self) -> None:
        self.events: list[dict] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record from here to the end of the block."""
        command = (
            "echo ready; exec docker events --format '{{json .}}' --filter type=container "
            f"--filter label=com.docker.compose.project={STACK} "
            "--filter event=create --filter event=start --filter event=destroy"
        )
        process = subprocess.Popen(
            ["ssh", "-F", ".lab/ssh_config", "-o", "ControlPath=none", HOST, command],
            cwd=lab.PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            yield
            time.sleep(0.5)
        finally:
            process.terminate()
            process.wait(10)
            reader.join(10)

    def _read(self, stream: Iterator[str]) -> None:
        self.events += [json.loads(line) for line in stream]

    def of(self, event: str) -> dict[str, set[str]]:
        """Containers that had an event, by service; those that run once are left out."""
        found: dict[str, set[str]] = {}
        for item in self.events:
            labels = item["Actor"]["Attributes"]
            if item["Action"] == event and labels.get("com.docker.compose.oneoff") != "True":
                name = labels["com.docker.compose.service"]
                found.setdefault(name, set()).add(item["Actor"]["ID"])
        return found


def present() -> dict[str, set[str]]:
    """The stack's containers on the host, by service."""
    found: dict[str, set[str]] = {}
    listing = lab.ssh(
        HOST,
        f"docker ps -a --no-trunc --filter label=com.docker.compose.project={STACK} "
        "--format '{{.Label \"com.docker.compose.service\"}} {{.ID}}'",
    )
    for name, container in map(str.split, listing.splitlines()):
        found.setdefault(name, set()).add(container)
    return found


def observed(recording: Recording, before: dict[str, set[str]]) -> dict[str, str]:
    """What happened to each service, by the Engine's word alone."""
    created, started, destroyed = map(recording.of, ("create", "start", "destroy"))
    after = present()
    happened = {}
    for name in {*before, *after, *created, *destroyed}:
        had, has = before.get(name, set()), after.get(name, set())
        made, gone = created.get(name, set()), destroyed.get(name, set())
        if not made and not gone:
            happened[name] = "start" if started.get(name) else "keep"
        elif not had:
            happened[name] = "create"
        elif not has:
            happened[name] = "remove"
        else:
            happened[name] = "scale" if had & has else "replace"
        assert has == (had | made) - gone, f"{name}: something else changed the containers"
    return happened


def announced(said: str) -> dict[str, str]:
    """What the plan in a deploy's output says of each service."""
    found = {}
    for line in said.splitlines():
        if match := re.match(rf"\s+({'|'.join(ACTIONS)}) +(\S.*?)(?:  .*)?$", line):
            found |= dict.fromkeys(match[2].split(", "), match[1])
    return found


def check(stand: Stand, change: Change) -> str:
    """Make one change under a recording; return a line of the table."""
    change.before(stand.relay)
    before = present()
    recording = Recording()
    with recording.running():
        run = stand.make(change)
    happened = observed(recording, before)
    if change.refused:
        run.failed(change.refused)
        assert set(happened.values()) == {"keep"}, f"{change.name}: {happened}"
        return f"{change.name:<28} refused"
    run.ok()
    said = announced(run.out)
    assert said == happened, f"{change.name}: announced {said}, happened {happened}"
    if change.expected is not None:
        moved = {name: action for name, action in happened.items() if action != "keep"}
        assert moved == change.expected, f"{change.name}: {happened}\n{run.out[-3000:]}"
    text = ", ".join(f"{action} {name}" for name, action in sorted(happened.items()))
    return f"{change.name:<28} {text}"


@pytest.fixture
def stand(relay: Relay, tmp_path: Path) -> Iterator[Stand]:
    """The stack in v1 on one host; what other tests expect is put back."""
    found = Stand(tmp_path, relay)
    found.deploy("v1").ok()
    yield found
    found.relay.stacks = relay.stacks
    found.relay.deploy("v1", limit=HOST).ok()


@pytest.mark.long
def test_each_change_is_what_was_announced(stand: Stand, show: Callable[[str, str], None]) -> None:
    lines, wrong = [], []
    for change in CHANGES:
        try:
            lines.append(check(stand, change))
        except AssertionError as error:
            wrong.append(str(error))
    show(f"announced and seen: {len(lines)} of {len(CHANGES)} changes", "\n".join(lines))
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_several_changes_at_once_are_what_was_announced(stand: Stand) -> None:
    def edit(model: Model) -> None:
        idle(model)
        model["services"]["web"]["environment"]["EXTRA"] = "1"
        model["services"]["worker"]["deploy"]["replicas"] = 2

    expected = {"idle": "create", "web": "replace", "worker": "scale"}
    check(stand, Change("several", edit=edit, expected=expected))

    def strike(relay: Relay) -> None:
        by_hand("web", "docker stop --time 5 $ID")(relay)
        by_hand("redis", "docker rm --force $ID")(relay)

    expected = {"idle": "remove", "redis": "create", "web": "start"}
    check(stand, Change("damage", edit=without("idle"), before=strike, expected=expected))


def test_the_comparison_can_fail() -> None:
    said = "relay on staging-1 (staging): v1 -> v2\n    keep      redis\n    replace   web  image\n"
    assert announced(said) == {"redis": "keep", "web": "replace"}
    recording = Recording()
    assert recording.of("create") == {}
    attributes = {"com.docker.compose.service": "web", "com.docker.compose.oneoff": "False"}
    recording.events = [{"Action": "create", "Actor": {"ID": "a", "Attributes": attributes}}]
    assert recording.of("create") == {"web": {"a"}}
    attributes["com.docker.compose.oneoff"] = "True"
    assert recording.of("create") == {}

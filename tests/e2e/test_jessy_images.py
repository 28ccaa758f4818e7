"""Jessy's images and stack, as they are built and as they run on a lab host.

One stack runs for the whole module on the host that builds, with secrets of this run; only
tests at the end stop something of it.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import shlex
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import jessy_stack
import pytest
from e2e import lab
from engine_events import events
from jessy_stack import (
    API,
    CORE,
    HOST,
    POSTGRES,
    REGISTRY,
    SECONDS,
    VERSION,
    Stack,
    config,
    ended,
    get,
    shell,
)

PROGRAMS = {CORE: "app/jessy", API: "app/jessy-api"}
PORT = 13000  # on the build host, for a container that runs in its network


@pytest.fixture(scope="module")
def built(built_jessy: lab.Run) -> lab.Run:
    return built_jessy


@pytest.fixture(scope="module")
def stack(built: lab.Run) -> Iterator[Stack]:
    with jessy_stack.prepared() as stack:
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "180")
        yield stack


def listens(port: int) -> None:
    """Wait until something answers at a port of the build host, whatever it says."""
    url = f"http://127.0.0.1:{port}/"
    shell(f"for i in $(seq 300); do curl -so /dev/null {url} && exit; sleep 0.2; done; exit 1")


def files_of(image: str) -> tarfile.TarFile:
    """The files of an image, as a tar archive."""
    command = f"c=$(docker create {image}) && docker export $c; docker rm $c >/dev/null"
    done = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", HOST, command],
        cwd=lab.PROJECT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    return tarfile.open(fileobj=io.BytesIO(done.stdout))


# The images


@pytest.mark.requirement("R3.2", "R3.3", "T8.2")
def test_images_are_small(built: lab.Run) -> None:
    core, api = config(CORE)["Size"], config(API)["Size"]
    assert core < 100_000_000
    assert api < 50_000_000
    assert core < 10_000_000
    assert api < 17_000_000
    assert config(POSTGRES)["Size"] < 200_000_000


@pytest.mark.requirement("D19", "D20", "D21")
@pytest.mark.parametrize(
    ("image", "port", "program"), [(CORE, 8080, "/app/jessy"), (API, 3000, "/app/jessy-api")]
)
def test_an_image_says_how_it_is_run(built: lab.Run, image: str, port: int, program: str) -> None:
    found = config(image)["Config"]
    assert found["User"] == "1000:1000"
    assert found["ExposedPorts"] == {f"{port}/tcp": {}}
    assert found["Cmd"] == [program]
    assert found["Healthcheck"] == {
        "Test": ["CMD", program, "healthcheck"],
        "Interval": 30 * SECONDS,
        "Timeout": 3 * SECONDS,
        "StartPeriod": 5 * SECONDS,
        "Retries": 3,
    }
    with files_of(image) as files:
        assert (files.getmember("app").uid, files.getmember("app").gid) == (1000, 1000)
        assert b"jessy:x:1000:1000" in files.extractfile("etc/passwd").read()


@pytest.mark.requirement("R3.1")
@pytest.mark.parametrize("image", [CORE, API])
def test_an_image_holds_the_program_and_no_tool(built: lab.Run, image: str) -> None:
    with files_of(image) as files:
        plain = {member.name for member in files if member.isfile()}
    # Docker itself puts the empty files into every container.
    plain -= {".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
    assert plain == {
        PROGRAMS[image],
        "etc/group",
        "etc/nsswitch.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
    }
    code, _, _ = ended(f"docker run --rm --entrypoint /bin/sh {image} -c 'command -v cargo'")
    assert code != 0


@pytest.mark.requirement("D18")
def test_the_cores_image_brings_the_authorities_it_trusts(stack: Stack) -> None:
    """The lab's registry is refused with them alone, and not when the lab's is added."""
    with files_of(CORE) as files:
        bundle = files.extractfile("etc/ssl/certs/ca-certificates.crt").read()
    assert bundle.count(b"BEGIN CERTIFICATE") > 100
    assert config(CORE)["Config"]["Cmd"] == ["/app/jessy"]
    path = f"{stack.directory}/core.crt"
    # Without those of the host, which knows the lab.
    asked = f"--capath {stack.directory}/.secrets --cacert {path} https://{REGISTRY}/"
    call = f"cat >{path}; curl -s -o /dev/null {asked}; echo $?"
    authority = (lab.PROJECT / ".lab/ca.crt").read_bytes()
    assert shell(call, stdin=bundle).strip() == "60"
    assert shell(call, stdin=bundle + authority).strip() == "0"


@pytest.mark.requirement("T8.2")
@pytest.mark.parametrize("image", [CORE, API, POSTGRES])
def test_an_image_holds_nothing_of_its_build(built: lab.Run, image: str) -> None:
    with files_of(image) as files:
        # A lock of apt's is an empty file.
        names = {member.name for member in files if member.issym() or member.size}
    left = r"^var/(lib/apt/lists|cache/apt)/.|(^|/)(\.git|\.cache|tests?|__pycache__)/"
    assert not [name for name in names if re.search(left, name)]
    tools = {"cargo", "rustc", "go", "gcc", "cc", "ld", "make", "pip", "pip3", "git"}
    assert not {name.rpartition("/")[2] for name in names} & tools


@pytest.mark.requirement("D22")
@pytest.mark.parametrize("image", [CORE, API])
def test_a_program_is_static(built: lab.Run, image: str) -> None:
    with files_of(image) as files:
        program = files.extractfile(PROGRAMS[image]).read()
    assert program[:5] == b"\x7fELF\x02"
    offset = int.from_bytes(program[32:40], "little")
    size, count = (int.from_bytes(program[at : at + 2], "little") for at in (54, 56))
    kinds = {
        int.from_bytes(program[at : at + 4], "little")
        for at in range(offset, offset + size * count, size)
    }
    assert 1 in kinds, "no part that is loaded"
    assert 3 not in kinds, "asks for a dynamic linker (PT_INTERP)"


@pytest.mark.requirement("D54")
@pytest.mark.parametrize("image", [CORE, API, POSTGRES])
def test_an_image_holds_no_secret(stack: Stack, image: str) -> None:
    environment = config(image)["Config"].get("Env") or []
    assert not [entry for entry in environment if re.search("KEY|PASSWORD|TOKEN|SECRET", entry)]
    # Every layer, the configuration and the history, as a registry keeps them.
    history = shell(f"docker history --no-trunc {image}")
    saved = shell(
        f"mkdir {stack.directory}/saved && cd {stack.directory}/saved && "
        f"docker save {image} | tar -x && find . -type f -print0 | "
        "while IFS= read -r -d '' file; do tar -xOf $file 2>/dev/null || cat $file; done | "
        f"grep -a -c -F -f {stack.directory}/.secrets/api_token; "
        f"cd / && rm -rf {stack.directory}/saved",
        check=False,
    )
    assert saved.strip() == "0"
    assert not [value for value in stack.secrets.values() if value in history]


@pytest.fixture(scope="module")
def sources(stack: Stack) -> str:
    """A directory on the build host with what the images are built from."""
    archive = lab.run("bash", "-c", "tar -C docker/jessy -c . | base64 -w0").ok().out
    directory = f"{stack.directory}/sources"
    shell(f"mkdir {directory} && base64 -d | tar -x -C {directory}", stdin=archive.encode())
    return directory


def build(directory: str, service: str, target: str, *words: str) -> str:
    """What the build of one stage said, step by step."""
    return shell(
        f"cd {directory} && docker buildx build --progress plain --target {target} "
        "$(test -e /etc/maestro/build-ca.crt && echo --secret id=ca,src=/etc/maestro/build-ca.crt) "
        f"-f {service}/Dockerfile {shlex.join(words)} ."
    )


BUILDS = (
    "cd {} && test ! -e /etc/maestro/build-ca.crt || "
    "export BUILD_CA_FILE=/etc/maestro/build-ca.crt; "
    "VERSION=changed REGISTRY=changed docker compose --progress plain build"
)


def builds(directory: str, *words: str) -> str:
    """What `docker compose build` said of images of development's names, step by step."""
    return shell(f"{BUILDS.format(directory)} {shlex.join(words)}")


@pytest.mark.requirement("R3.4", "D16")
def test_a_change_of_sources_leaves_the_dependencies_cached(sources: str) -> None:
    mark = secrets.token_hex(8)
    shell(f"cd {sources} && sed -i 's/no such path/no such path {mark}/' "
          "core/src/http.rs api/internal/server/handlers.go")  # fmt: skip
    names = ("jessy-core", "jessy-api")
    log = builds(sources, *names)
    for name, step in zip(names, ("rm -r build.rs src", "go mod download"), strict=True):
        number = re.search(rf"^#(\d+) \[{name} .*{re.escape(step)}", log, re.MULTILINE)
        assert number, log[-3000:]
        assert f"#{number[1]} CACHED" in log, log[-3000:]
    # The sources that were changed are the ones that run, not those of the cached step.
    for name in names:
        program = f"changed/{name}:changed"
        found = shell(
            f"c=$(docker create {program}) && docker export $c | grep -a -c {mark}; "
            f"docker rm $c >/dev/null; docker image rm {program} >/dev/null"
        )
        assert int(found) > 0


@pytest.mark.requirement("R6.1")
def test_what_production_runs_is_built_on_the_base_and_deployed_by_its_digest(
    stack: Stack, built: lab.Run, sources: str
) -> None:
    """Development's half of it is with the tests of the developers' stack."""
    base = config("debian:trixie-slim")["RootFS"]["Layers"]
    for service in ("core", "api"):
        build(sources, service, "builder", "--load", "-t", f"jessy-{service}:builder")
        assert config(f"jessy-{service}:builder")["RootFS"]["Layers"][: len(base)] == base
        shell(f"docker image rm jessy-{service}:builder")
    model = json.loads(stack.compose("config", "--format", "json"))["services"]
    for service in ("db", "jessy-core", "jessy-api"):
        image = model[service]["image"]
        (digest,) = [one for one in config(image)["RepoDigests"] if one.startswith(REGISTRY)]
        assert digest.partition("@")[2] in built.out
        assert stack.inspect(service)["Image"] == config(image)["Id"]


@pytest.mark.requirement("R6.3")
@pytest.mark.parametrize(
    ("folder", "manifest", "line", "said"),
    [
        ("core", "Cargo.toml", '\n[dependencies.hex]\nversion = "0.4"\n', "--locked"),
        ("api", "go.mod", "\nrequire rsc.io/quote v1.5.2\n", "go.sum does not lock all of go.mod"),
    ],
    ids=["core", "api"],
)
def test_a_dependency_that_is_not_locked_breaks_the_build(
    sources: str, folder: str, manifest: str, line: str, said: str
) -> None:
    path = f"{sources}/{folder}/{manifest}"
    shell(f"cp {path} {path}.kept; cat >>{path}", stdin=line.encode())
    try:
        code, out, _ = ended(f"{BUILDS.format(sources)} jessy-{folder}")
    finally:
        shell(f"mv {path}.kept {path}")
    assert code != 0
    assert re.search(said, out), out[-2000:]


def test_the_same_version_again_changes_nothing(built: lab.Run) -> None:
    again = lab.run("make", "images", f"VERSION={VERSION}").ok()
    assert again.changed(HOST) == [0]
    digests = re.findall(r"sha256:\w{64}", built.out)
    assert len(digests) == 3
    assert re.findall(r"sha256:\w{64}", again.out) == digests


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["VERSION="], "No version was given"),
        (["VERSION=latest"], "`latest` is no version"),
        (["VERSION=-x"], "cannot be a tag"),
        (["VERSION=v1", "STACK=jesy"], "Unknown stack `jesy`"),
    ],
)
def test_a_wrong_request_is_refused_with_the_right_one(
    demo: lab.Run, words: list[str], expected: str
) -> None:
    out = " ".join(lab.run("make", "images", *words).failed().out.split())
    assert expected in out
    assert "make images VERSION=" in out


def test_a_missing_build_host_is_named(demo: lab.Run) -> None:
    """Nothing listens on this port."""
    refused = lab.playbook(
        *("-i", "inventories/lab", "playbooks/images.yml", "-e", "version=v1"),
        *("-e", "ansible_port=1", "-e", "images_connect_timeout=2"),
    )
    refused.failed("Images cannot be built on the host `registry`", "Run `make lab`")


# The running stack


@pytest.mark.requirement("D1", "D2", "D46", "D51")
@pytest.mark.parametrize(("service", "prefix"), [("jessy-core", ""), ("jessy-api", "/api")])
def test_health_and_metrics(stack: Stack, service: str, prefix: str) -> None:
    url = stack.url(service)
    status, answer = get(f"{url}{prefix}/health", "-D", "-")
    assert status == 200
    headers, _, body = answer.replace("\r", "").partition("\n\n")
    assert "content-type: application/json" in headers.lower()
    health = json.loads(body)
    assert (health["status"], health["service"]) == ("healthy", service)
    assert health["version"] == VERSION
    assert datetime.fromisoformat(health["timestamp"]).tzinfo is not None
    status, metrics = get(f"{url}{prefix}/metrics")
    assert status == 200
    assert f'build_info{{version="{VERSION}"}} 1' in metrics
    # From 20 requests the slowest, and the container's own checks.
    times = shell(
        f"for i in $(seq 20); do curl -so /dev/null -w '%{{time_total}}\\n' {url}{prefix}/health; "
        "done"
    ).split()
    assert len(times) == 20
    assert max(map(float, times)) < 1.0
    # What a busy machine takes to start a check is in them: the last five, as soon as all are so.
    deadline = time.monotonic() + 180
    while max(checked := checks(stack, service)) >= 1.0:
        assert time.monotonic() < deadline, checked
        time.sleep(2)


def checks(stack: Stack, service: str) -> list[float]:
    """How many seconds each of the last checks of a service's health took."""
    found = stack.inspect(service)["State"]["Health"]["Log"]
    times = [
        [datetime.fromisoformat(one[key][:26] + "Z") for key in ("Start", "End")] for one in found
    ]
    return [(end - start).total_seconds() for start, end in times]


@pytest.mark.requirement("D2")
def test_the_interface_has_no_health_outside_its_prefix(stack: Stack) -> None:
    assert get(f"{stack.url('jessy-api')}/health")[0] == 404


def test_notes_go_through_both_services_to_the_database(stack: Stack) -> None:
    text = f"note {secrets.token_hex(4)}"
    status, body = get(
        f"{stack.url('jessy-api')}/api/notes",
        *("-H", "Content-Type: application/json", "-d", json.dumps({"text": text})),
    )
    assert status == 201
    assert json.loads(get(f"{stack.url('jessy-api')}/api/notes")[1])[0] == json.loads(body)
    row = stack.compose(
        *("exec", "-T", "db", "psql", "-U", "jessy", "-Atc"),
        f"SELECT text FROM notes WHERE id = {json.loads(body)['id']}",
    )
    assert row.strip() == text
    assert json.loads(get(f"{stack.url('jessy-api')}/api/core")[1])["version"] == VERSION
    environment = stack.inspect("jessy-api")["Config"]["Env"]
    assert "RUST_SERVICE_URL=http://jessy-core:8080" in environment


def test_the_core_takes_notes_only_with_the_token(stack: Stack) -> None:
    words = ("-H", "Content-Type: application/json", "-d", '{"text": "x"}')
    url = f"{stack.url('jessy-core')}/notes"
    assert get(url, *words)[0] == 401
    assert get(url, *words, "-H", "Authorization: Bearer nonsense")[0] == 401


@pytest.mark.requirement("R7.4", "T5.2")
def test_a_mapped_file_is_shared_with_the_right_permissions(stack: Stack) -> None:
    text = shell(
        f"docker run --rm -u 1000 -v mmap-data:/m:ro --entrypoint stat {POSTGRES} "
        "-c '%u %a %s' /m/counters.bin"
    )
    assert text.split() == ["1000", "660", "4096"]
    for service in ("jessy-core", "jessy-api"):
        mounts = {mount["Destination"]: mount for mount in stack.inspect(service)["Mounts"]}
        assert mounts["/data/mmap"]["Name"] == "mmap-data"
        assert mounts["/data/mmap"]["RW"]
    # The API counts its starts in the file, and the core finds that in what it mapped before.
    started = json.loads(get(f"{stack.url('jessy-core')}/counters")[1])["api_starts"]
    assert started >= 1
    stack.compose("restart", "jessy-api")
    core = stack.container("jessy-core")
    shell(f"for i in $(seq 200); do curl -fsS {stack.url('jessy-api')}/api/health && exit; "
          "sleep 0.3; done; exit 1")  # fmt: skip
    assert stack.container("jessy-core") == core
    seen = json.loads(get(f"{stack.url('jessy-core')}/counters")[1])["api_starts"]
    assert seen == started + 1
    before = json.loads(get(f"{stack.url('jessy-api')}/api/counters")[1])["notes_written"]
    get(
        f"{stack.url('jessy-api')}/api/notes",
        "-H",
        "Content-Type: application/json",
        "-d",
        '{"text": "y"}',
    )
    after = json.loads(get(f"{stack.url('jessy-api')}/api/counters")[1])
    assert after["notes_written"] == before + 1
    assert after == json.loads(get(f"{stack.url('jessy-core')}/counters")[1])


@pytest.mark.requirement("D52")
@pytest.mark.parametrize(
    ("service", "uid"), [("db", 999), ("jessy-core", 1000), ("jessy-api", 1000)]
)
def test_nothing_runs_as_root(stack: Stack, service: str, uid: int) -> None:
    listing = shell(f"docker top {stack.container(service)} -eo pid,uid").splitlines()[1:]
    assert listing
    assert {line.split()[1] for line in listing} == {str(uid)}


# Tries to write as a container's user in its file system; it needs no program there.
WRITE = """
import errno, os, sys
pid, uid, *paths = sys.argv[1:]
os.setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY), os.CLONE_NEWNS)
os.setgroups([]), os.setgid(int(uid)), os.setuid(int(uid))
for path in paths:
    try:
        os.close(os.open(f"{path}/x", os.O_CREAT | os.O_EXCL))
        os.unlink(f"{path}/x")
        print(path, "written")
    except OSError as error:
        print(path, errno.errorcode[error.errno])
"""


@pytest.mark.requirement("D53", "T7.1")
@pytest.mark.parametrize(
    ("service", "written", "refused"),
    [
        ("db", ["/var/lib/postgresql/data", "/tmp"], ["/", "/etc", "/usr"]),
        ("jessy-core", ["/data/mmap", "/tmp"], ["/", "/etc", "/app"]),
        ("jessy-api", ["/data/mmap", "/tmp"], ["/", "/etc", "/app"]),
    ],
)
def test_only_the_data_paths_can_be_written(
    stack: Stack, service: str, written: list[str], refused: list[str]
) -> None:
    found = stack.inspect(service)
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    uid = found["Config"]["User"].split(":")[0]
    words = ["python3", "-", str(found["State"]["Pid"]), uid, *written, *refused]
    out = dict(line.split() for line in shell(shlex.join(words), stdin=WRITE.encode()).splitlines())
    assert {path: out[path] for path in written} == dict.fromkeys(written, "written")
    assert {path: out[path] for path in refused} == dict.fromkeys(refused, "EROFS")


@pytest.mark.requirement("D8", "D9", "D12", "D50", "T1.2")
def test_the_containers_are_as_the_stack_says(stack: Stack) -> None:
    for service, interval in (("db", 30), ("jessy-core", 10), ("jessy-api", 10)):
        found = stack.inspect(service)
        health = found["Config"]["Healthcheck"]
        figures = (health["Interval"], health["Timeout"], health["Retries"])
        assert figures == (interval * SECONDS, 5 * SECONDS, 3)
        host = found["HostConfig"]
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["Init"] is True
        assert host["LogConfig"]["Type"] == "json-file"
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
        assert "jessy-network" in found["NetworkSettings"]["Networks"]
    assert shell("docker network inspect -f '{{.Driver}}' jessy-network").strip() == "bridge"
    model = json.loads(stack.compose("config", "--format", "json"))
    depends = model["services"]["jessy-api"]["depends_on"]
    assert depends["jessy-core"]["condition"] == "service_healthy"


@pytest.mark.requirement("D56")
def test_the_services_talk_over_a_network_of_their_own(stack: Stack) -> None:
    probe = f"docker run --rm --entrypoint /bin/bash {{}} {POSTGRES} -c {{}}"
    inside = "--network jessy-network"
    assert ended(probe.format(inside, "'getent hosts jessy-core'"))[0] == 0
    assert ended(probe.format("", "'getent hosts jessy-core'"))[0] != 0
    route = shell(f"nsenter --target {stack.inspect('db')['State']['Pid']} --net ip route")
    assert "default" not in route
    # Nothing is published: requests come through the edge of a host.
    published = shell("docker ps --filter label=com.docker.compose.project=jessy "
                      "--format '{{.Ports}}'")  # fmt: skip
    assert re.findall(r"(\S+)->", published) == []


@pytest.mark.requirement("D24")
def test_the_images_authorities_decide_whom_a_program_trusts(stack: Stack) -> None:
    """The API calls the registry by HTTPS: refused until the lab's authority is in the bundle."""
    bundle = f"{stack.directory}/bundle.crt"
    with files_of(API) as files:
        content = files.extractfile("etc/ssl/certs/ca-certificates.crt").read()
    assert content.count(b"BEGIN CERTIFICATE") > 100
    authority = (lab.PROJECT / ".lab/ca.crt").read_bytes()
    shell(f"cat >{bundle}; chmod 644 {bundle}", stdin=content + authority)
    start = (
        f"docker run --rm -d --network host -e LISTEN_ADDR=127.0.0.1:{PORT} "
        f"-e RUST_SERVICE_URL=https://{REGISTRY}/ -e API_TOKEN=not-a-real-one {{}} {API}"
    )
    seen = {}
    for name, mount in (
        ("own", ""),
        ("extended", f"-v {bundle}:/etc/ssl/certs/ca-certificates.crt:ro"),
    ):
        container = shell(start.format(mount)).strip()
        listens(PORT)
        seen[name] = get(f"http://127.0.0.1:{PORT}/api/core")[0]
        shell(f"docker stop {container}")
    # 404 is the registry's own answer.
    assert seen == {"own": 502, "extended": 404}


@pytest.mark.requirement("D20", "D24")
def test_an_image_turns_healthy_without_compose(stack: Stack) -> None:
    """By the health check it brings along, in plain `docker run`."""
    words = (
        f"docker run -d -v {stack.directory}/.secrets:/run/secrets:ro "
        "-e API_TOKEN_FILE=/run/secrets/api_token -e DB_PASSWORD_FILE=/run/secrets/db_password "
    )
    started = [
        shell(f"{words} {options} {image}").strip()
        for image, options in ((CORE, "--network jessy-network"), (API, ""))
    ]
    try:
        for container in started:
            # The first check comes after the interval: 30 s.
            state = f"docker inspect -f '{{{{.State.Health.Status}}}}' {container}"
            again = f"{state} | grep -qx healthy && exit; sleep 0.5"
            shell(f"for i in $(seq 300); do {again}; done; exit 1")
    finally:
        shell(f"docker rm -fv {' '.join(started)}")


# Secrets


def migrate(*options: str, environment: str = "") -> tuple[int, str, float]:
    """The migrations against the running database, started by hand."""
    words = shlex.join(["docker", "run", "--rm", "--network", "jessy-network", *options])
    return ended(f"{environment} {words} {CORE} /app/jessy migrate")


@pytest.mark.requirement("R9.1", "T7.3")
def test_a_secret_comes_from_the_environment_or_from_a_file(stack: Stack) -> None:
    quoted = shlex.quote(stack.secrets["db_password"])
    mount = f"{stack.directory}/.secrets/db_password:/run/secrets/db_password:ro"
    by_file = ("-v", mount, "-e", "DB_PASSWORD_FILE=/run/secrets/db_password")
    for options in (by_file, ("-e", "DB_PASSWORD")):
        given = f"DB_PASSWORD={quoted}" if options[-1] == "DB_PASSWORD" else ""
        code, out, _ = migrate(*options, environment=given)
        assert code == 0, out
        assert "the schema is up to date" in out
    code, out, _ = migrate(*by_file, "-e", "DB_PASSWORD", environment=f"DB_PASSWORD={quoted}")
    assert code != 0
    assert "DB_PASSWORD and DB_PASSWORD_FILE are both set" in out
    assert stack.secrets["db_password"] not in out


@pytest.mark.requirement("R9.2", "T7.3")
@pytest.mark.parametrize(
    ("image", "keys"),
    [
        (CORE, ["DB_PASSWORD", "API_TOKEN"]),
        (API, ["API_TOKEN"]),
        (POSTGRES, ["POSTGRES_PASSWORD"]),
    ],
)
def test_a_missing_secret_stops_the_start_at_once(
    built: lab.Run, image: str, keys: list[str]
) -> None:
    name = f"missing-{secrets.token_hex(3)}"
    code, out, _ = ended(f"docker run --name {name} {image} 2>&1 >/dev/null")
    times = "{{.State.StartedAt}} {{.State.FinishedAt}}"
    ran = shell(f"docker inspect -f '{times}' {name}; docker rm -v {name} >/dev/null").split()
    begun, finished = (datetime.fromisoformat(one[:26].rstrip("Z") + "Z") for one in ran)
    assert code not in (0, 125)
    assert (finished - begun).total_seconds() < 5
    for key in keys:
        assert f"{key} is missing: set {key}_FILE" in out


@pytest.mark.requirement("T7.5")
def test_secrets_reach_the_services_as_files_only(stack: Stack) -> None:
    for service in ("db", "jessy-core", "jessy-api", "migrate"):
        found = stack.inspect(service)
        text = json.dumps(found)
        assert not [value for value in stack.secrets.values() if json.dumps(value)[1:-1] in text]
        mounts = {
            m["Destination"]: m["RW"] for m in found["Mounts"] if "secrets" in m["Destination"]
        }
        assert mounts
        assert not any(mounts.values())
    # Not even the program that was given a password by a file hands it on.
    for service in ("db", "jessy-core", "jessy-api"):
        container = stack.container(service)
        # That of a health check may have ended meanwhile; the program's own is there.
        shell(f"grep -qa = /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {container})/environ")
        environments = shell(
            f"for pid in $(docker top {container} -eo pid | tail -n +2); do "
            "tr '\\0' '\\n' <\"/proc/$pid/environ\" || test ! -e \"/proc/$pid\"; done"
        )
        assert not [value for value in stack.secrets.values() if value in environments]


@pytest.mark.requirement("T1.3")
@pytest.mark.parametrize("service", ["migrate", "jessy-core", "jessy-api"])
def test_every_log_line_is_json_and_says_who_and_when(stack: Stack, service: str) -> None:
    get(f"{stack.url('jessy-api')}/api/notes")
    lines = stack.compose("logs", "--no-color", "--no-log-prefix", service).splitlines()
    assert len(lines) >= 2
    name = "jessy-api" if service == "jessy-api" else "jessy-core"
    for line in lines:
        entry = json.loads(line[line.index("{") :])
        assert entry["service"] == name
        assert entry["level"] in ("debug", "info", "warn", "error")
        assert datetime.fromisoformat(entry["timestamp"]).tzinfo is not None


@pytest.mark.requirement("T7.4", "R9.4")
def test_a_secret_that_would_be_logged_is_masked(stack: Stack) -> None:
    """A secret is given where it does not belong, and the error quotes what it was given."""
    sentinel = f"sentinel-{secrets.token_hex(8)}"
    given = f"DB_USER={sentinel} DB_PASSWORD={sentinel}"
    code, out, _ = migrate("-e", "DB_USER", "-e", "DB_PASSWORD", environment=given)
    assert code != 0
    assert sentinel not in out
    assert 'failed for user \\"[redacted]\\"' in out
    container = shell(
        f"API_TOKEN={sentinel} docker run -d --network host -e API_TOKEN "
        f"-e RUST_SERVICE_URL=http://{sentinel}.invalid -e LISTEN_ADDR=127.0.0.1:{PORT} {API}"
    ).strip()
    listens(PORT)
    status, body = get(f"http://127.0.0.1:{PORT}/api/notes")
    logs = shell(f"docker logs {container}; docker rm -f {container} >/dev/null")
    assert status == 502
    assert sentinel not in body + logs
    assert "[redacted]" in logs
    everything = stack.compose("logs", "--no-color")
    assert not [value for value in stack.secrets.values() if value in everything]


# The database's image, by the upstream image's contract


def test_the_database_is_made_as_the_upstream_image_makes_it(stack: Stack) -> None:
    name = f"contract-{secrets.token_hex(3)}"
    script = "CREATE TABLE given (n int); INSERT INTO given VALUES (7);"
    directory = f"{stack.directory}/init"
    shell(f"mkdir {directory} && cat >{directory}/1.sql && "
          f"echo 'export PGOPTIONS=; say \"for $POSTGRES_DB\"' >{directory}/2.sh && "
          f"chmod -R a+rX {directory}", stdin=script.encode())  # fmt: skip
    shell(
        f"POSTGRES_PASSWORD=a-password-of-this-test docker run -d --name {name} "
        "-e POSTGRES_PASSWORD -e POSTGRES_USER=owner -e POSTGRES_DB=data "
        "-e POSTGRES_INITDB_ARGS='--data-checksums' "
        f"-v {directory}:/docker-entrypoint-initdb.d:ro {POSTGRES} -c max_connections=17"
    )
    query = (
        f"docker exec -e PGPASSWORD=a-password-of-this-test {name} psql -h 127.0.0.1 -U owner "
        "-Atd data -c"
    )
    try:
        shell(
            f"for i in $(seq 100); do {query} 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done"
        )
        shown = [
            shell(f"{query} {shlex.quote(sql)}").strip()
            for sql in (
                "SELECT n FROM given",
                "SHOW max_connections",
                "SHOW data_checksums",
                "SHOW server_encoding",
                "SELECT datcollate FROM pg_database WHERE datname = 'data'",
                "SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = 'owner'",
            )
        ]
        assert shown == ["7", "17", "on", "UTF8", "C.UTF-8", "SCRAM-SHA-256"]
        environment = shell(
            f"tr '\\0' '\\n' </proc/$(docker inspect -f '{{{{.State.Pid}}}}' {name})/environ"
        )
        assert "a-password" not in environment
        shell(f"docker stop {name}")
        assert shell(f"docker inspect -f '{{{{.State.ExitCode}}}}' {name}").strip() == "0"
        assert "database system is shut down" in shell(f"docker logs {name}")
    finally:
        shell(f"docker rm -fv {name}", check=False)


def test_the_password_is_that_of_the_file_at_each_start(stack: Stack) -> None:
    """A new value needs nothing but a new container; the old one opens nothing any more."""
    name = f"renewed-{secrets.token_hex(3)}"
    values = ["first of this test", "second '; \\ \" $x"]
    login = (
        f"docker exec -i {name} bash -c 'read -r PGPASSWORD && export PGPASSWORD && "
        'psql -h 127.0.0.1 -U owner -Atd postgres -c "select 1"\''
    )

    def start(value: str) -> None:
        shell(
            f"docker rm -f {name} 2>/dev/null; umask 077; cat >{stack.directory}/renewed; "
            f"chown 999 {stack.directory}/renewed; "
            f"docker run -d --name {name} -e POSTGRES_USER=owner "
            f"-e POSTGRES_PASSWORD_FILE=/run/secrets/word -v {name}:/var/lib/postgresql/data "
            f"-v {stack.directory}/renewed:/run/secrets/word:ro {POSTGRES}",
            stdin=value.encode(),
        )
        shell(
            f"for i in $(seq 100); do docker exec {name} pg_isready -q -h 127.0.0.1 && exit; "
            f"sleep 0.1; done; docker logs {name}; exit 1"
        )

    try:
        for number, value in enumerate(values):
            start(value)
            assert shell(login, stdin=f"{value}\n".encode()).strip() == "1"
            other = values[1 - number]
            refused = shell(f"{login} 2>&1", stdin=f"{other}\n".encode(), check=False)
            assert "password authentication failed" in refused
            logged = shell(f"docker logs {name} 2>&1")
            assert "of this test" not in logged
            assert "second" not in logged
            assert "could not be renewed" not in logged
    finally:
        shell(f"docker rm -fv {name}; docker volume rm {name}", check=False)


def test_a_database_that_was_half_made_is_made_again(stack: Stack) -> None:
    """Killed again and again while it makes the database, it makes a whole one in the end."""
    name = f"crash-{secrets.token_hex(3)}"
    run = (
        f"POSTGRES_PASSWORD=a-password-of-this-test docker run -d --name {name} "
        f"-e POSTGRES_PASSWORD -e POSTGRES_USER=owner -v {name}:/var/lib/postgresql/data {POSTGRES}"
    )
    query = f"docker exec {name} psql -h /var/run/postgresql -U owner -Atc 'SELECT 1'"
    try:
        for delay in (0.3, 0.8, 1.2):
            shell(f"{run} && sleep {delay} && docker rm -f {name}")
        shell(run)
        shell(
            f"for i in $(seq 150); do docker logs {name} 2>&1 | grep -q 'ready to accept' && "
            f"{query} && exit; sleep 0.1; done; docker logs {name}; exit 1"
        )
        left = shell(f"docker exec {name} ls -A /var/lib/postgresql/data")
        assert "PG_VERSION" in left
        assert ".initialising" not in left
    finally:
        shell(f"docker rm -fv {name}; docker volume rm {name}", check=False)


# Migrations


def test_migrations_are_applied_once_and_one_that_fails_is_named(stack: Stack) -> None:
    files = sorted(path.stem for path in (lab.PROJECT / "docker/jessy/core/migrations").iterdir())
    psql = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
    applied = stack.compose(*psql, "SELECT name FROM schema_migrations ORDER BY version")
    assert applied.split() == files
    log = stack.compose("logs", "--no-color", "migrate")
    assert all(f"applied migration {name}" in log for name in files)
    password = f"DB_PASSWORD={shlex.quote(stack.secrets['db_password'])}"
    code, out, _ = migrate("-e", "DB_PASSWORD", environment=password)
    assert code == 0
    assert '"applied":0' in out
    # The newest is forgotten, and its column stands in its own way.
    stack.compose(*psql, f"DELETE FROM schema_migrations WHERE name = '{files[-1]}'")
    code, out, _ = migrate("-e", "DB_PASSWORD", environment=password)
    assert code == 1
    assert f"migration {files[-1]} failed and was rolled back" in out
    stack.compose(*psql, "ALTER TABLE notes DROP COLUMN request_key")
    assert migrate("-e", "DB_PASSWORD", environment=password)[0] == 0


# What stops something stands last


@pytest.mark.requirement("D47")
@pytest.mark.parametrize("service", ["jessy-api", "jessy-core"])
def test_a_stop_lets_requests_in_flight_finish(stack: Stack, service: str) -> None:
    prefix = "/api" if service == "jessy-api" else ""
    answers: list[tuple[int, str]] = []
    url = f"{stack.url(service)}{prefix}/slow?seconds=3"
    said = f"{stack.directory}/slow-{service}.txt"
    asked = ("-v", "--stderr", said)
    request = threading.Thread(target=lambda: answers.append(get(url, *asked)))
    request.start()
    shell(f"for i in $(seq 600); do grep -qs '^> GET' {said} && exit; sleep 0.1; done; exit 1")
    started = time.monotonic()
    stack.compose("stop", service)
    seconds = time.monotonic() - started
    request.join()
    assert [status for status, _ in answers] == [200]
    assert stack.inspect(service)["State"]["ExitCode"] == 0
    assert seconds < 20
    assert "shutting down" in stack.compose("logs", "--no-color", service)
    stack.compose("start", service)


@pytest.mark.requirement("R5.1")
def test_services_start_in_the_order_of_what_they_need(stack: Stack) -> None:
    stack.compose("down", "--timeout", "5")
    with events() as happened:
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "180")
    seconds: dict[tuple[str, str], float] = {}
    for service, action, second in happened.seen:
        seconds.setdefault((service, action), second)
    order = [
        ("db", "health_status: healthy"),
        ("migrate", "start"),
        ("migrate", "die 0"),
        ("jessy-core", "start"),
        ("jessy-core", "health_status: healthy"),
        ("jessy-api", "start"),
    ]
    assert sorted(order, key=lambda step: seconds[step]) == order
    assert stack.inspect("migrate")["State"]["ExitCode"] == 0

"""What can be said about Jessy's images and programs without building an image."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
JESSY = ROOT / "docker/jessy"
PROGRAMS = ("core", "api")
BASES = {"${BASE_IMAGE}", "scratch"}
# Stages that serve the build and the tests.
TOOLS = ("toolchain", "llvm", "gotestsum")
NOT_SHIPPED = (*TOOLS, "instrumented", "counted", "test", "bench", "acceptance")


def stages(name: str) -> list[tuple[str, str, str]]:
    """Base, name and instructions of each stage of a Dockerfile."""
    text = (JESSY / name / "Dockerfile").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^FROM (\S+) AS (\S+)$", text)[1:]
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


@pytest.mark.requirement("R3.1", "D15")
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_is_built_in_stages(name: str) -> None:
    names = [stage for _, stage, _ in stages(name)]
    assert [stage for stage in names if stage not in NOT_SHIPPED] == [
        "builder",
        "development",
        "production",
    ]
    _, _, last = stages(name)[-1]
    assert re.findall(r"(?m)^(?:COPY|ADD|RUN)\b.*$", last) == ["COPY --from=builder /rootfs/ /"]


@pytest.mark.requirement("D55")
@pytest.mark.parametrize("name", [*PROGRAMS, "postgres"])
def test_a_base_is_minimal_and_named(name: str) -> None:
    found = stages(name)
    ours = {stage for _, stage, _ in found}
    assert {base for base, _, _ in found} - ours <= BASES
    default = re.search(r"(?m)^ARG BASE_IMAGE=(\S+)$", (JESSY / name / "Dockerfile").read_text())
    assert default
    assert default[1] == "debian:trixie-slim"
    assert found[-1][0] == ("${BASE_IMAGE}" if name == "postgres" else "scratch")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_build_takes_what_the_lock_file_names(name: str) -> None:
    text = (JESSY / name / "Dockerfile").read_text(encoding="utf-8")
    if name == "core":
        builds = re.findall(r"cargo build .*", text)
        assert builds
        assert all(re.search("--(locked|frozen)", build) for build in builds)
    else:
        assert "-mod=readonly" in text
    lock = JESSY / {"core": "core/Cargo.lock", "api": "api/go.sum"}[name]
    assert lock.stat().st_size > 0


# What builds or fetches, with its options; a package of Debian's named cargo is none.
INSTALLS = (
    r"(?m)(?:^RUN|&&|;)[^&;\n]*?\b(cargo (?:build|test|bench|fetch)[^&;]*"
    r"|npm (?:ci|i|install)\b[^&;]*|pip3? install[^&;]*)"
)


@pytest.mark.requirement("R6.3")
def test_everything_that_is_built_is_locked() -> None:
    """That a manifest alone breaks a build is with the tests of the images."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    # What the tests bring along shows what others write.
    names_here = [name for name in names.stdout.splitlines() if not name.startswith("tests/")]
    files = {name for name in names_here if (ROOT / name).exists()}
    locks = {"Cargo.toml": "Cargo.lock", "go.mod": "go.sum", "package.json": "package-lock.json"}
    for name in files:
        folder, _, last = name.rpartition("/")
        if last in locks:
            assert f"{folder}/{locks[last]}" in files, name
    assert {"requirements.lock", "requirements-dev.lock", "requirements-bootstrap.lock"} <= files
    for name in sorted(name for name in files if "Dockerfile" in name):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        ours = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", text)) | {"scratch"}
        values = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", text))
        for base in re.findall(r"(?m)^FROM (\S+)", text):
            given = string.Template(base).substitute(values)
            assert base in ours or re.search(r":(?!latest)[\w.-]+$|@sha256:", given), (name, base)
        commands = re.findall(INSTALLS, text)
        for command in commands:
            locked = r"--(locked|frozen|require-hashes|dry-run)|^npm ci"
            assert re.search(locked, command), (name, command)
        if re.search(r"\bgo build", text):
            assert "-mod=readonly" in text, name
    assert "--require-hashes" in (ROOT / "scripts/bootstrap").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [".", "postgres"])
def test_the_context_holds_what_is_named_and_no_secret(name: str) -> None:
    lines = (JESSY / name / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for rule in rules[1:]:
        if rule.startswith("!"):
            assert (JESSY / name / rule[1:]).exists(), rule
    assert "/.secrets/" in (JESSY / ".gitignore").read_text(encoding="utf-8")


def test_the_stack_holds_nothing_that_moves_or_opens() -> None:
    text = (JESSY / "compose.yaml").read_text(encoding="utf-8")
    model = yaml.safe_load(text)
    assert "latest" not in text
    assert "privileged" not in text
    for name, service in model["services"].items():
        assert service["read_only"] is True, name
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in model["volumes"], (name, volume)
    published = [name for name, service in model["services"].items() if "ports" in service]
    assert published == [], "requests come through the edge"
    assert all(value["name"] for value in (*model["volumes"].values(), *model["networks"].values()))


@pytest.mark.parametrize(
    ("folder", "argv"), [("core", ["cargo", "fmt", "--check"]), ("api", ["gofmt", "-l", "."])]
)
def test_the_sources_are_formatted(folder: str, argv: list[str]) -> None:
    """Where their compiler is installed; their own tests are a stage of each image."""
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed here")
    done = subprocess.run(
        argv, cwd=JESSY / folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""


def test_the_benchmarks_have_what_the_modules_use_that_they_compile_in() -> None:
    """The core's modules are compiled into them; each names libraries of the core's own list."""
    library = (JESSY / "bench/src/lib.rs").read_text()
    modules = re.findall(r'#\[path = "../../core/src/(\w+)\.rs"\]', library)
    assert "config" in modules
    text = "".join((JESSY / f"core/src/{name}.rs").read_text() for name in modules)
    known = tomllib.loads((JESSY / "core/Cargo.toml").read_text())["dependencies"]
    used = {name for name in known if re.search(rf"\b{name.replace('-', '_')}::", text)}
    assert "tokio-postgres" in used
    has = tomllib.loads((JESSY / "bench/Cargo.toml").read_text())["dependencies"]
    assert used - set(has) == set()


def test_what_runs_here_takes_compose_where_it_can_be_had() -> None:
    """An Engine may have no Compose, or an old one: scripts/compose brings it."""
    names = [*(ROOT / "docker").glob("*/testing/*"), *(ROOT / "scripts").rglob("*")]
    direct = re.compile(r"(?m)^[^#\n]*\bdocker compose [^v]")
    found = [
        path.name
        for path in names
        if path.is_file()
        and path.name != "compose"
        and direct.search(path.read_text("utf-8", "ignore"))
    ]
    assert found == []

"""Hosts for tests that deploy small stacks with `direct.Direct`: ask for the fixture ``direct``.

    def test_what_it_shows(direct: Direct) -> None:
        direct.write("shop", {"services": {"web": {"image": IMAGE, "command": [...]}}})
        assert direct.deploy("shop")
        assert not direct.deploy("shop")

All tests of a module share one `Direct`; when the module ends, every stack that was written
through it is removed with its data. Two hosts are for such tests alone, each with a lane of its
own (tests/lanes.py): ``gallery-1`` has the distribution's Compose, ``gallery-2`` a newer one, and
an Engine with user namespaces. A test runs on the first of them; on the second where `lanes.NEWER`
names its file; on both where it is marked ``both_composes`` (what Compose itself does: networks,
volumes, its output), and with ``--long``. What changes the whole host (the Engine, the edge) undoes
it before it ends.

While a test is written, MAESTRO_TEST_HOST names hosts that are provisioned already (one, or one
and one with the newer Compose: ``dev-1,dev-2``): no lab is made then, no image is built.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator

import lanes
import pytest
import samples
from direct import IMAGE, Direct
from e2e import lab
from newer_compose import FETCH, PLUGIN

HOSTS = tuple(os.environ.get("MAESTRO_TEST_HOST", ",".join(lanes.GALLERY)).split(","))
OURS = HOSTS == lanes.GALLERY


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "both_composes: runs with the distribution's Compose and with a newer one"
    )
    config.addinivalue_line("markers", "users_of_host: needs an Engine without user namespaces")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the hosts of a test."""
    if "gallery_host" not in metafunc.fixturenames:
        return
    long = bool(metafunc.config.getoption("--long"))
    if "life" in metafunc.fixturenames:
        lives = samples.chosen(HOSTS, long=long)
        metafunc.parametrize(
            ("life", "gallery_host"), lives, indirect=["gallery_host"], scope="module"
        )
        return
    markers = {marker.name for marker in metafunc.definition.iter_markers()}
    name = metafunc.definition.path.name
    both = long or "both_composes" in markers
    if name in lanes.USERS or "users_of_host" in markers:
        both = False
    chosen = HOSTS if both else HOSTS[-1:] if name in lanes.NEWER else HOSTS[:1]
    metafunc.parametrize("gallery_host", chosen, indirect=True, scope="module")


@pytest.fixture(scope="session")
def gallery_images(
    request: pytest.FixtureRequest, once: Callable[[str], contextlib.AbstractContextManager[bool]]
) -> None:
    """The image of the sample stacks in the lab's registry, built once for each content."""
    if OURS:
        request.getfixturevalue("lab_made")
        with once("gallery-images") as first:
            if first:
                build()


def build() -> None:
    """Build the image and push it, where the registry has none of this content."""
    source = lab.PROJECT / "tests/gallery/image/Dockerfile"
    content = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    named = f"{IMAGE.rpartition(':')[0]}:{content}"
    lab.run(
        *("bash", "-euo", "pipefail", "-c"),
        f"ssh -F .lab/ssh_config registry '"
        f"docker manifest inspect {named} >/dev/null 2>&1 && docker manifest inspect {IMAGE} "
        f">/dev/null 2>&1 || "
        f"(docker build --quiet --network host --tag {IMAGE} --tag {named} - && "
        f"docker push --quiet {named} && docker push --quiet {IMAGE})' < {source}",
    ).ok()


@pytest.fixture(scope="session")
def gallery_hosts(
    request: pytest.FixtureRequest, once: Callable[[str], contextlib.AbstractContextManager[bool]]
) -> tuple[str, ...]:
    """The hosts, provisioned, once for all processes; the second with a newer Compose."""
    request.getfixturevalue("gallery_images")
    if OURS:
        with once("gallery-hosts") as first:
            if first:
                lab.playbook("-i", samples.inventory(), "tests/gallery/hosts.yml").ok()
                old, new = (lab.ssh(host, COMPOSE).split() for host in HOSTS)
                assert old != new, "the newer Compose is not newer"
    return HOSTS


# The second host gets the newer plugin unless it has it.
COMPOSE = f"""set -e
if [ "$(hostname)" = {lanes.GALLERY[-1]} ] && ! [ -x {PLUGIN} ]; then ({FETCH}) >/dev/null; fi
docker compose version --short"""


@pytest.fixture(scope="module")
def gallery_host(request: pytest.FixtureRequest, gallery_hosts: tuple[str, ...]) -> str:
    """The host that the tests of a module use."""
    return str(request.param)


@pytest.fixture(scope="module")
def direct(gallery_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    """Deploys to the host; what it wrote is removed in the end."""
    found = Direct(gallery_host, tmp_path_factory.mktemp("stacks"))
    yield found
    found.stepper.close()
    found.remove(*sorted(path.name for path in found.directory.iterdir()))

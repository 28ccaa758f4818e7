"""A newer release of Compose on the lab's hosts: `--compose=new`, else the distribution's own.

Debian's next release has it as a package that needs nothing else. Its plugin goes where the
Engine's command looks first, so that the installed package stays as it is, and is taken away
when the run ends. A mirror may lag behind: the signature counts, not the date.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e import lab

PLUGIN = "/usr/local/lib/docker/cli-plugins/docker-compose"
SUITE = "forky"
FETCH = f"""set -eu
home=$(mktemp -d); trap 'rm -rf "$home"' EXIT; cd "$home"; mkdir -p lists/partial cache
mirror=$(sed -n 's/^URIs: *//p; s/^deb \\(\\S*\\) .*/\\1/p' /etc/apt/sources.list.d/* \
/etc/apt/sources.list 2>/dev/null | head -1)
echo "deb $mirror {SUITE} main" > sources.list
apt="-qq -o Dir::Etc::sourcelist=$home/sources.list -o Dir::Etc::sourceparts=- \
-o Dir::State::lists=$home/lists -o Dir::Cache=$home/cache -o APT::Sandbox::User=root \
-o Acquire::Check-Valid-Until=false"
apt-get $apt update >&2
apt-get $apt download docker-compose >&2
dpkg-deb --fsys-tarfile docker-compose_*.deb |
  tar -x --to-stdout --wildcards '*/cli-plugins/docker-compose' > plugin
mkdir -p "$(dirname {PLUGIN})"
install -m 0755 plugin {PLUGIN}
docker compose version --short"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the newer release."""
    parser.addoption(
        "--compose",
        choices=("distro", "new"),
        default="distro",
        help="the Compose release on the lab's hosts",
    )


@pytest.fixture(scope="session")
def compose_release(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[str]:
    """The release on the hosts that have an Engine; no demo is waited for by the usual one."""
    if pytestconfig.getoption("--compose") != "distro":
        request.getfixturevalue("demo")
    hosts = [
        host
        for host in (*lab.STAGING, *lab.PRODUCTION)
        if lab.ssh(host, "command -v docker || true").strip()
    ]
    before = lab.ssh(hosts[0], "docker compose version --short").strip()
    if pytestconfig.getoption("--compose") == "distro":
        yield before
        return
    try:
        found = {lab.ssh(host, FETCH).split()[-1] for host in hosts}
        assert len(found) == 1
        assert before not in found, "Compose is not newer"
        yield found.pop()
    finally:
        for host in hosts:
            lab.ssh(host, f"rm -f {PLUGIN}")

"""The lab's hosts as the demo leaves them: how they are reached, and that they are ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e import lab

HOSTS = ("registry", *lab.STAGING, *lab.PRODUCTION)
DIRECTORY = lab.PROJECT / ".lab"

pytestmark = pytest.mark.usefixtures("demo")


def test_every_host_is_reached_by_its_name_and_its_pinned_key() -> None:
    for host in HOSTS:
        assert lab.ssh(host, "hostname").strip() == host
    config = (DIRECTORY / "ssh_config").read_text()
    assert "StrictHostKeyChecking yes" in config


def test_a_host_with_another_key_is_not_believed(tmp_path: Path) -> None:
    """The pinned key decides: with that of another host, ssh ends the connection."""
    lines = (DIRECTORY / "known_hosts").read_text().splitlines()
    keys = dict(line.split(" ", 1) for line in lines)
    (tmp_path / "known_hosts").write_text(f"staging-1 {keys['staging-2']}\n")
    done = lab.run(
        *("ssh", "-F", ".lab/ssh_config", "-o", f"UserKnownHostsFile={tmp_path}/known_hosts"),
        *("-o", "ControlPath=none", "staging-1", "true"),
    )
    done.failed("Host key verification failed")


def test_no_account_has_a_password() -> None:
    shadow = lab.ssh("staging-1", "cut -d: -f1,2 /etc/shadow")
    assert all(line.split(":")[1][:1] in "!*" for line in shadow.split())
    assert "passwordauthentication no" in lab.ssh("staging-1", "sshd -T")


def test_mounts_are_shared_as_on_a_machine() -> None:
    """Else a service with a view of its own keeps networks of containers that are gone."""
    for host in HOSTS:
        assert lab.ssh(host, "findmnt -no PROPAGATION /run").strip() == "shared"


def test_hosts_resolve_each_other_and_the_registry() -> None:
    names = "registry.test registry staging-2 production-1"
    assert len(lab.ssh("staging-1", f"for n in {names}; do getent hosts $n; done").split("\n")) >= 4


def test_the_registry_asks_for_the_login_and_has_a_trusted_certificate() -> None:
    url = "https://registry.test:5000/v2/"
    code = "curl -sS -o /dev/null -w '%{http_code}'"
    assert lab.ssh("staging-1", f"{code} {url}") == "401"
    assert lab.ssh("staging-1", f"{code} -u maestro:wrong {url}") == "401"
    settings = lab.settings()
    port = settings["ports"]["registry"]["registry"]
    local = lab.run("curl", "-sS", "--cacert", ".lab/ca.crt", f"https://localhost:{port}/v2/")
    local.ok()
    assert "UNAUTHORIZED" in local.out


@pytest.mark.parametrize("host", lab.STAGING)
def test_a_provisioned_host_is_logged_in_and_keeps_it_to_itself(host: str) -> None:
    lab.ssh(host, "docker manifest inspect registry.test:5000/none:1 2>&1 | grep -q 'no such'")
    assert lab.ssh(host, "stat -c '%a %U' /root/.docker/config.json").strip() == "600 root"


# What somebody does to a host, and what shows it, one line each.
DRIFT = (
    ("chmod 600 /etc/docker/daemon.json", "stat -c %a /etc/docker/daemon.json"),
    ("chmod 644 /root/.docker/config.json", "stat -c %a /root/.docker/config.json"),
    (
        "echo >> /etc/docker/certs.d/registry.test:5000/ca.crt",
        "cat /etc/docker/certs.d/*/* | md5sum",
    ),
    ("systemctl disable docker.service", "systemctl is-enabled docker.service"),
    ("echo >> /etc/systemd/system/maestro-switch.timer", "cat /etc/systemd/system/maes* | md5sum"),
    ("systemctl disable --now maestro-agent.service", "systemctl is-active maestro-agent.service"),
    ("chmod 700 /opt/maestro", "stat -c %a /opt/maestro"),
    ("chmod 777 /etc/maestro/edge/certs", "stat -c %a /etc/maestro/edge/certs"),
    ("sysctl -q net.ipv4.tcp_migrate_req=0", "sysctl net.ipv4.tcp_migrate_req"),
)


def test_what_drifted_is_put_right_and_the_rest_takes_no_time() -> None:
    """A ready host is asked three questions; a module a thing would take ten times as long."""
    host = lab.STAGING[0]
    look = "; ".join(shows for _, shows in DRIFT)
    before = lab.ssh(host, look)
    lab.ssh(host, " && ".join(does for does, _ in DRIFT))
    drifted = lab.ssh(host, look)
    pairs = zip(before.splitlines(), drifted.splitlines(), strict=True)
    assert sum(one != other for one, other in pairs) == len(DRIFT)
    run = lab.playbook("playbooks/provision.yml", "-l", host).ok()
    assert run.changed(host) != [0]
    assert lab.ssh(host, look) == before
    # A shell that greets changes nothing of what the host answers.
    lab.ssh(host, "cd /root; touch .bashrc; mv .bashrc .before; echo 'echo welcome' >.bashrc")
    try:
        check = lab.playbook("playbooks/provision.yml", "-l", host, "--check", "--diff").ok()
    finally:
        lab.ssh(host, "mv /root/.before /root/.bashrc")
    assert check.changed(host) == [0]
    for name in ("Install its units", "Let the Engine trust", "Make the edge's directories"):
        assert name in run.out
        assert name not in check.out, "not even asked for"


def test_two_environments_share_no_connection() -> None:
    """A socket belongs to an address and a port, never to a host's name alone."""
    dump = lab.run(
        ".venv/bin/ansible-config", "dump", "--type", "connection", "--only-changed"
    ).ok()
    assert "control_path" in dump.out
    assert "%C" in dump.out

"""A route that asks for a password: through the edge, after a rotation and after going back."""

from __future__ import annotations

import base64
import hashlib
import shlex

import pytest
from direct import IMAGE, Direct
from e2e import lab

STACK = "members"
SERVE = "mkdir /tmp/w && echo in > /tmp/w/index.html && exec busybox httpd -f -p 8000 -h /tmp/w"
COMPOSE = {
    "services": {
        "web": {
            "image": IMAGE,
            "command": ["sh", "-c", SERVE],
            "user": "65534:65534",
            "stop_grace_period": "1s",
            "secrets": ["web_users"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
        }
    },
    "secrets": {"web_users": {"file": "./web_users"}},
    "x-maestro": {
        "routes": [
            {"service": "web", "port": 8000, "host": "members.test", "basic_auth": "web_users"}
        ]
    },
}


def user(password: str) -> str:
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return f"ann:{{SHA}}{digest}"


def asked(direct: Direct, password: str = "") -> str:
    """The status that a client gets."""
    login = f"-u ann:{shlex.quote(password)}" if password else ""
    there = "https://members.test/ --resolve members.test:443:127.0.0.1"
    return lab.ssh(direct.host, f"curl -sko /dev/null -w '%{{http_code}}' {login} {there}").strip()


def test_a_route_with_users_from_a_secret(direct: Direct) -> None:
    direct.write(STACK, COMPOSE, web_users="x")
    direct.values["web_users"] = user("first-Kt5")
    assert direct.deploy(STACK)
    assert [asked(direct), asked(direct, "wrong"), asked(direct, "first-Kt5")] == [
        "401",
        "401",
        "200",
    ]
    assert not direct.deploy(STACK)

    assert direct.rotate(STACK, web_users=user("second-Kt5"))
    assert [asked(direct, "first-Kt5"), asked(direct, "second-Kt5")] == ["401", "200"]
    files = lab.ssh(direct.host, f"ls /etc/maestro/edge/users | grep -c ^{STACK}").strip()
    assert files == "1"

    direct.values["web_users"] = user("third-Kt5")
    assert direct.deploy(STACK)
    assert [asked(direct, "second-Kt5"), asked(direct, "third-Kt5")] == ["401", "200"]
    assert direct.rollback(STACK)
    assert [asked(direct, "second-Kt5"), asked(direct, "third-Kt5")] == ["200", "401"]

    direct.values["web_users"] = "ann:not-a-hash"
    with pytest.raises(Exception, match="does not hold users of a route"):
        direct.deploy(STACK)
    assert asked(direct, "second-Kt5") == "200"

    direct.take_away(STACK)
    assert (
        lab.ssh(direct.host, f"ls /etc/maestro/edge/users | grep -c ^{STACK}", check=False).strip()
        == "0"
    )

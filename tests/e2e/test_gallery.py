"""Sample stacks of the usual shapes, on hosts of the tests' own."""

from __future__ import annotations

import pytest
from direct import IMAGE, Direct

from maestro.errors import MaestroError

WEB = {
    "image": IMAGE,
    "command": ["busybox", "httpd", "-f", "-p", "8000", "-h", "/run/secrets"],
    "init": True,
    "stop_grace_period": "1s",
    "secrets": ["key"],
    "healthcheck": {"test": ["CMD", "test", "-e", "/run/secrets/key"], "interval": "1s"},
}


@pytest.mark.both_composes
def test_a_stack_is_deployed_rolled_back_and_rotated_without_a_playbook(direct: Direct) -> None:
    direct.values["key"] = "one"
    stack = {"services": {"web": WEB}, "secrets": {"key": {"file": "./key"}}}
    direct.write("sample", stack)
    assert direct.deploy("sample", "v1")
    assert not direct.deploy("sample", "v1")
    first = direct.container("sample", "web")["Id"]

    direct.write("sample", stack | {"services": {"web": WEB | {"environment": {"NEW": "1"}}}})
    direct.vanish("sample", "v2")
    assert "NEW=1" not in direct.container("sample", "web")["Config"]["Env"]
    broken = WEB | {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 1}}
    direct.write("sample", stack | {"services": {"web": broken}})
    with pytest.raises(MaestroError, match="web"):
        direct.deploy("sample", "v3")

    direct.write("sample", stack | {"services": {"web": WEB | {"environment": {"NEW": "1"}}}})
    assert direct.deploy("sample", "v2")
    assert direct.container("sample", "web")["Id"] != first
    assert direct.rollback("sample")
    assert "NEW=1" not in direct.container("sample", "web")["Config"]["Env"]

    assert direct.rotate("sample", key="two")
    web = direct.container("sample", "web")["Name"]
    assert direct.until(f"docker exec {web} cat /run/secrets/key") == "two"

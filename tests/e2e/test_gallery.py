"""Sample stacks of the usual shapes, on hosts of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import samples
from direct import IMAGE, Direct

from maestro.errors import MaestroError

SIDE_BY_SIDE = 4  # stacks of one host at a time: most of what they do is waiting

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


@pytest.fixture(scope="module")
def lives(
    request: pytest.FixtureRequest,
    gallery_host: str,
    direct: Direct,
    show: Callable[[str, str], None],
) -> Iterator[dict[str, Future[None]]]:
    """The lives that this host's tests ask for, side by side."""
    asked = [
        item.callspec.params["life"]
        for item in request.session.items
        if getattr(item, "callspec", None)
        and item.callspec.params.get("gallery_host") == gallery_host
        and "life" in item.callspec.params
    ]
    # What takes longest begins first.
    known = {
        life: samples.Life.of(life, gallery_host)
        for life in sorted(asked, key=lambda life: samples.PLAYED not in life)
    }
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {life: pool.submit(known[life].go) for life in known}
    show(f"Sample stacks on {gallery_host}: seconds of each part", samples.table(known))


def test_what_serves_keeps_serving(life: str, lives: dict[str, Future[None]]) -> None:
    lives[life].result()

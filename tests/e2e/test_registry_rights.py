"""Who may write to the registry: by attempt, with the logins that the hosts have stored."""

from __future__ import annotations

import json
import re
import secrets

import pytest
from direct import IMAGE, Direct
from e2e import lab

REGISTRY = IMAGE.partition("/")[0]
IN_USE = f"{REGISTRY}/rights:in-use"
BUILDER = "registry"
API = f"https://{REGISTRY}/v2/rights"
DENIED = "this login may pull only"


def digest() -> str:
    """What the registry has under the name in use, asked for with the builder's login."""
    said = lab.ssh(BUILDER, f"docker buildx imagetools inspect {IN_USE}")
    return re.findall(r"^Digest: +(sha256:[0-9a-f]{64})$", said, re.MULTILINE)[0]


@pytest.fixture(scope="module")
def in_use(direct: Direct) -> str:
    """The digest of an image that the builder pushed and a host pulled."""
    recipe = f"FROM scratch\\nCOPY x /\\nLABEL n={secrets.token_hex(4)}\\n"
    lab.ssh(
        BUILDER,
        f"set -e; home=$(mktemp -d); trap 'rm -rf $home' EXIT; cd $home; echo x > x; "
        f"printf '{recipe}' > Dockerfile; docker build --quiet --tag {IN_USE} .; "
        f"docker push --quiet {IN_USE}; docker rmi --force {IN_USE}",
    )
    lab.ssh(direct.host, f"docker pull --quiet {IN_USE}")
    return digest()


@pytest.mark.parametrize("name", [IN_USE, f"{REGISTRY}/rights:other", f"{REGISTRY}/of/its-own:1"])
def test_a_host_pushes_nothing(direct: Direct, in_use: str, name: str) -> None:
    """Neither over an image that others run, nor a tag beside it, nor a repository of its own."""
    said = lab.ssh(
        direct.host,
        f"printf 'FROM {IN_USE}\\nLABEL taken=over\\n' | "
        f"DOCKER_BUILDKIT=0 docker build --quiet --tag {name} - && docker push {name} 2>&1; "
        f"docker rmi --force {name}",
        check=False,
    )
    assert f"denied: {DENIED}" in said, said
    assert digest() == in_use
    lab.ssh(direct.host, f"docker pull --quiet {IN_USE}")


@pytest.mark.parametrize(
    "words",
    [
        f"-X DELETE {API}/manifests/DIGEST",
        f"-X POST {API}/blobs/uploads/",
        f"-X PUT -d {{}} {API}/manifests/in-use",
        # The name that may push, before a login that is good.
        f"-X POST -H 'Authorization: Basic YnVpbGRlcjp4' {API}/blobs/uploads/",
    ],
)
def test_a_host_writes_in_no_other_way(direct: Direct, in_use: str, words: str) -> None:
    """By the registry's API, with the login of the host's root."""
    auths = json.loads(lab.ssh(direct.host, "cat /root/.docker/config.json"))["auths"]
    login = f"-H 'Authorization: Basic {auths[REGISTRY]['auth']}'"
    asked = f"curl -sSk {words.replace('DIGEST', in_use)} {login}"
    assert DENIED in lab.ssh(direct.host, asked)
    assert digest() == in_use

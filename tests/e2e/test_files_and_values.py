"""What a stack's files and values look like in its containers, as a plain `docker compose up`."""

from __future__ import annotations

import hashlib

import yaml
from direct import IMAGE, Direct
from e2e import lab


def sleeper(**keys: object) -> dict[str, object]:
    return {
        "image": IMAGE,
        "command": ["sleep", "infinity"],
        "stop_grace_period": "1s",
        "init": True,
        **keys,
    }


def inside(direct: Direct, stack: str, service: str, command: str) -> str:
    name = direct.container(stack, service)["Id"]
    return lab.ssh(direct.host, f"docker exec {name} sh -c '{command}'")


def test_configs_keep_bytes_mode_and_owner(direct: Direct) -> None:
    """A hook can be run, lines keep their ends, what is no text arrives, a name has two modes."""
    binary = bytes(range(256)) * 3
    direct.write(
        "files",
        {
            "services": {
                "web": sleeper(
                    user="1234",
                    configs=[
                        {"source": "hook", "target": "/hook"},
                        {"source": "dos", "target": "/dos.txt"},
                        {"source": "raw", "target": "/raw.bin"},
                        {
                            "source": "raw",
                            "target": "/own",
                            "uid": "7",
                            "gid": "8",
                            "mode": 0o440,
                        },
                        {"source": "inline", "target": "/inline"},
                        {"source": "private", "target": "/private"},
                    ],
                    # The files that a service mounts to read are the release's as well.
                    volumes=["./hook.sh:/mounted.sh:ro", "./conf.d:/media:ro,z"],
                )
            },
            "configs": {
                "hook": {"file": "./hook.sh"},
                "dos": {"file": "dos.txt"},
                "raw": {"file": "raw.bin"},
                "private": {"file": "private"},
                "inline": {"content": "costs 5$$\n"},
            },
        },
        hook__sh="#!/bin/sh\necho ran\n",
        dos__txt=b"a\r\nb\r\n",
        raw__bin=binary,
        private="mine\n",
    )
    home = direct.directory / "files"
    (home / "hook.sh").chmod(0o775)
    (home / "private").chmod(0o600)
    (home / "conf.d/deep").mkdir(parents=True)
    (home / "conf.d/deep/one.conf").write_text("first\n")
    (home / "conf.d/private").write_text("mine\n")
    (home / "conf.d/private").chmod(0o600)
    assert direct.deploy("files")
    said = inside(
        direct,
        "files",
        "web",
        "/hook; stat -c %a:%u:%g:%n /hook /dos.txt /raw.bin /own /inline /private; "
        "cat /private /inline; cat /raw.bin /dos.txt | sha256sum; /mounted.sh; cd /media; "
        "find . | sort; stat -c %a:%u:%g private deep; cat deep/one.conf; "
        "touch new 2>/dev/null || echo no",
    )
    digest = hashlib.sha256(binary + b"a\r\nb\r\n").hexdigest()
    assert said.split() == [
        "ran",
        *("755:0:0:/hook", "644:0:0:/dos.txt", "644:0:0:/raw.bin", "440:7:8:/own"),
        *("444:0:0:/inline", "600:1234:1234:/private"),
        *("mine", "costs", "5$", digest, "-", "ran"),
        *(".", "./deep", "./deep/one.conf", "./private"),
        *("600:1234:1234", "755:0:0", "first", "no"),
    ]
    assert not direct.deploy("files")
    # A mode alone is another config, and an older release has the older one.
    before = direct.container("files", "web")["Id"]
    (home / "hook.sh").chmod(0o644)
    (home / "conf.d/deep/one.conf").write_text("second\n")
    assert direct.deploy("files")
    assert direct.container("files", "web")["Id"] != before
    said = inside(direct, "files", "web", "stat -c %a /hook /mounted.sh; cat /media/deep/one.conf")
    assert said.split() == ["644", "644", "second"]
    assert direct.rollback("files")
    said = inside(direct, "files", "web", "/hook; /mounted.sh; cat /media/deep/one.conf")
    assert said.split() == ["ran", "ran", "first"]


def test_nothing_of_the_host_s_environment_is_in_a_container(direct: Direct) -> None:
    """What a file leaves open is open, a `.env` is read, an environment's variable counts more."""
    direct.write(
        "files-env",
        {
            "services": {
                "web": sleeper(
                    environment=[
                        *("USER", "HOME", "SHLVL", "LC_ALL", "GIVEN"),
                        *("P=${PATH:-none}", "D=${FROM_DOTENV}", "O=${BOTH}", "L=${LC_ALL:-none}"),
                        "N=${COMPOSE_PROJECT_NAME}",
                    ]
                ),
                "tool": sleeper(profiles=["extra"]),
            }
        },
        __env="FROM_DOTENV=hello\nBOTH=file\nCOMPOSE_PROFILES=extra\n",
    )
    direct.variables = {"BOTH": "variable", "GIVEN": "given"}
    try:
        assert direct.deploy("files-env")
        env = direct.container("files-env", "web")["Config"]["Env"]
    finally:
        direct.variables = {}
    # `USER` alone says that it is not set.
    own = {line for line in env if "=" in line and not line.startswith("PATH=")}
    assert own == {"P=none", "D=hello", "O=variable", "L=none", "N=files-env", "GIVEN=given"}
    assert direct.container("files-env", "tool")["State"]["Running"]
    release = "/opt/maestro/files-env/current"
    assert lab.ssh(direct.host, f"stat -c %a {release}/compose.yaml").strip() == "600"


def test_a_secret_has_the_mode_and_group_it_asks_for(direct: Direct) -> None:
    """In a deploy, after a rollback, and beside a reader who asks for nothing."""
    direct.values = {"token": "swordfish"}
    direct.write(
        "files-secret",
        {
            "services": {
                "web": sleeper(
                    user="1234:99",
                    environment={"V": "${VERSION}"},
                    secrets=[
                        "token",
                        {"source": "token", "target": "shared", "mode": 0o440, "gid": "99"},
                        {"source": "token", "target": "other", "uid": "77"},
                    ],
                )
            },
            "secrets": {"token": {"file": "./none"}},
        },
    )
    wanted = "400:1234:1234 440:1234:99 400:77:77".split()
    look = "cd /run/secrets; stat -c %a:%u:%g token shared other; cat shared"
    for step in (
        lambda: direct.deploy("files-secret", "v1"),
        lambda: direct.deploy("files-secret", "v2"),
        lambda: direct.rollback("files-secret"),
    ):
        assert step()
        assert inside(direct, "files-secret", "web", look).split() == [*wanted, "swordfish"]
    assert not direct.deploy("files-secret", "v1")


def test_a_stack_of_includes_alone(direct: Direct) -> None:
    """Its included services are deployed, checked, migrated, and read their own files."""
    direct.values |= {"deep": "swordfish"}
    job = {**sleeper(), "command": ["sh", "-c", "test -s /run/secrets/deep"], "secrets": ["deep"]}
    web = sleeper(
        environment={"WHO": "${WHO}", "TAG": "${TAG}"},
        env_file=["${WHO}.env"],
        configs=[{"source": "page", "target": "/page"}],
        extends={"file": "../base.yaml", "service": "app"},
    )
    direct.write(
        "files-include",
        {
            "include": [
                {"path": "web/compose.yaml", "env_file": ["web/one.env"]},
                "jobs/compose.yaml",
            ],
            "x-maestro": {
                "migrations": [{"service": "migrate"}],
                "smoke": [{"command": {"service": "web", "argv": ["test", "-s", "/page"]}}],
            },
        },
        **{
            "web/compose__yaml": yaml.safe_dump(
                {"services": {"web": web}, "configs": {"page": {"file": "./${WHO}.html"}}}
            ),
            "web/one__env": "WHO=us\nTAG=file\n",
            "web/us__env": "FROM=env_file\n",
            "web/us__html": "<p>",
            "jobs/compose__yaml": yaml.safe_dump(
                {"services": {"migrate": job}, "secrets": {"deep": {"file": "./none"}}}
            ),
            "base__yaml": "services: {app: {labels: {base: 'yes'}, stdin_open: true}}",
        },
    )
    direct.variables = {"TAG": "variable"}
    try:
        assert direct.deploy("files-include")
        assert not direct.deploy("files-include")
    finally:
        direct.variables = {}
    config = direct.container("files-include", "web")["Config"]
    assert {"WHO=us", "TAG=variable", "FROM=env_file"} <= set(config["Env"])
    assert (config["Labels"]["base"], config["OpenStdin"]) == ("yes", True)
    assert inside(direct, "files-include", "web", "cat /page") == "<p>"


def test_files_as_before_are_not_read_again(direct: Direct) -> None:
    """A release keeps how Compose read its files, for root alone; another file is read anew."""
    name, path = "files-kept", "/opt/maestro/files-kept/current/reading.json"
    compose = {"services": {"web": sleeper(env_file=["web.env"])}}
    direct.write(name, compose, web__env="LEVEL=one\n")

    def read() -> str:
        request = direct.request(name)
        state = direct.step(
            "state",
            request=request,
            resolve=True,
            wait=0,
            payload=direct.payload(request),
        )
        return str(state["engine"]["compose"])

    assert direct.deploy(name)
    assert lab.ssh(direct.host, f"stat -Lc %a:%u {path}").strip() == "600:0"
    version = read()
    # Where it comes from shows by what stands there.
    lab.ssh(direct.host, rf"""sed -i 's/"compose": "[^"]*"/"compose": "99.1"/' {path}""")
    assert (read(), direct.deploy(name)) == ("99.1", False)
    direct.write(name, compose, web__env="LEVEL=two\n")
    assert read() == version
    assert direct.deploy(name)
    assert "LEVEL=two" in direct.container(name, "web")["Config"]["Env"]
    assert not direct.deploy(name)


def test_a_secret_that_can_only_be_in_the_environment(direct: Direct) -> None:
    """Its reader has it, after a rotation too; no other file and no label of it does."""
    first, second = "one: $x 'or' ${y}\nmore", "the-other-value"
    token = "${TOKEN}"
    direct.write(
        "weaker",
        {
            "services": {
                "web": sleeper(
                    environment={"URL": f"x://{token}@db", "PLAIN": "5$$", "STAGE": "${STAGE}"},
                    env_file=["./web.env"],
                ),
                "other": sleeper(),
            },
            "secrets": {"a.token": {"environment": "TOKEN"}},
        },
        web__env="TOKEN=for-development-alone\nLOG_LEVEL=info\n",
        __env="TOKEN=for-development-alone\n",
    )
    (direct.directory / "weaker/.env.staging").write_text("TOKEN='of\nnobody'\nSTAGE=a\n")
    direct.values["a.token"] = first

    def environment() -> tuple[str, ...]:
        found = direct.container("weaker", "web")["Config"]["Env"]
        values = dict(str(entry).split("=", 1) for entry in found)
        return tuple(values[name] for name in ("URL", "TOKEN", "PLAIN", "STAGE"))

    assert direct.deploy("weaker")
    assert environment() == (f"x://{first}@db", first, "5$", "a")
    told = direct.plan("weaker")
    assert "environment.URL: the secret a.token is in the environment" in told
    assert not direct.deploy("weaker")
    kept = direct.container("weaker", "other")["Id"]
    assert direct.rotate("weaker", **{"a.token": second})
    assert environment() == (f"x://{second}@db", second, "5$", "a")
    assert direct.container("weaker", "other")["Id"] == kept
    found = lab.ssh(
        direct.host,
        f"grep -rlE '{second}|for-development|nobody' /opt/maestro/weaker || true",
    )
    assert {path.split("/")[4] for path in found.split()} == {"secrets"}
    for container in direct.containers("weaker"):
        assert second not in str(container["Config"]["Labels"])
        assert second not in str(container["Config"]["Cmd"])

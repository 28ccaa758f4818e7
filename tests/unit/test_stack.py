"""A stack's files: what is read, and what is refused before a host is spoken to."""

from __future__ import annotations

import os
import re
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from maestro.errors import MaestroError, MaestroErrors
from maestro.host import naming
from maestro.host.files import File
from maestro.stack import extension as stack_extension
from maestro.stack import files

PLAIN = """
name: shop
services:
  web: {image: "registry.test:5000/web:v1"}
  db: {image: "registry.test:5000/db:1"}
"""


def write(tmp_path: Path, text: str, name: str = "compose.yaml", stack_name: str = "shop") -> Path:
    path = tmp_path / "docker" / stack_name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def load(tmp_path: Path, text: str = "", environment: str = "staging", **variables: str):
    if text:
        write(tmp_path, text)
    return files.load(tmp_path / "docker", "shop", environment, variables)


def refused(tmp_path: Path, text: str, **variables: str) -> list[MaestroError]:
    with pytest.raises(MaestroError) as caught:
        load(tmp_path, text, **variables)
    error = caught.value
    return error.problems if isinstance(error, MaestroErrors) else [error]


def places(problems: list[MaestroError]) -> set[str]:
    return {problem.where for problem in problems}


def extended(extension: str) -> str:
    return PLAIN + "x-maestro:\n" + textwrap.indent(textwrap.dedent(extension), "  ")


# What is read


def test_a_plain_file_is_a_stack(tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAIN)
    assert loaded.name == "shop"
    assert loaded.compose_files == ["compose.yaml"]
    assert list(loaded.files) == ["compose.yaml"]
    assert loaded.services["web"]["image"] == "registry.test:5000/web:v1"
    assert loaded.secret_names == []
    assert loaded.extension == {}


def test_an_environment_s_file_is_read_after_the_base(tmp_path: Path) -> None:
    write(
        tmp_path,
        "services: {web: {user: '5'}, extra: {image: 'r.test/x:1'}}",
        "compose.staging.yaml",
    )
    write(tmp_path, "services: {web: {user: '6'}}", "compose.production.yaml")
    loaded = load(tmp_path, PLAIN)
    assert loaded.compose_files == ["compose.yaml", "compose.staging.yaml"]
    assert loaded.services["web"] == {"image": "registry.test:5000/web:v1", "user": "5"}
    assert "extra" in loaded.services


def test_an_environment_s_extension_replaces_entries(tmp_path: Path) -> None:
    write(tmp_path, "services: {}\nx-maestro: {smoke: []}", "compose.staging.yaml")
    loaded = load(tmp_path, extended("smoke: [{tcp: {port: 1}}]\nmigrations: [{service: db}]"))
    assert loaded.extension == {"smoke": [], "migrations": [{"service": "db"}]}


def test_secrets_are_those_services_read_in_any_file(tmp_path: Path) -> None:
    write(tmp_path, "services: {web: {secrets: [late]}}", "compose.staging.yaml")
    loaded = load(
        tmp_path,
        """
        services:
          web:
            image: r.test/web:1
            build: {context: ., secrets: [only_the_build]}
            secrets: [token, {source: password, target: p}]
          db:
        secrets: {token: {file: a}, password: {file: b}, only_the_build: {file: c}, late: {file: d}}
        """,
    )
    assert loaded.secret_names == ["late", "password", "token"]


def test_tags_of_merged_files_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        services:
          web:
            user: !reset null
            ports: !override ["80:80"]
            environment: !override {A: b}
            image: !override r.test/web:v2
        """,
        "compose.staging.yaml",
    )
    web = load(tmp_path, PLAIN).services["web"]
    assert web == {
        "image": "r.test/web:v2",
        "user": None,
        "ports": ["80:80"],
        "environment": {"A": "b"},
    }


def test_files_it_names_go_along(tmp_path: Path) -> None:
    for name in ("config/a.json", "web.env", "more.env", "base.yaml", "part.yaml", "here.env"):
        write(tmp_path, f"# {name}", name)
    loaded = load(
        tmp_path,
        """
        include: [part.yaml]
        services:
          web:
            image: r.test/web:1
            env_file:
              - ./web.env
              - path: more.env
              - {path: here.env, required: false}
              - {path: missing.env, required: false}
            extends: {file: base.yaml, service: web}
          one: {image: "r.test/one:1", env_file: web.env}
        configs: {a: {file: ./config/../config/a.json}, b: {content: text}}
        """,
    )
    assert set(loaded.files) == {
        *("compose.yaml", "config/a.json", "web.env", "more.env", "here.env"),
        *("base.yaml", "part.yaml"),
    }
    assert File.from_json(loaded.files["config/a.json"]).content == b"# config/a.json"


def test_the_project_s_own_stacks_are_valid() -> None:
    root = Path(__file__).parents[2]
    assert files.load(root / "docker", "jessy", "staging", {}).secret_names == [
        "api_token",
        "db_password",
    ]
    counter = files.load(root / "tests" / "stacks", "counter", "production", {})
    assert set(counter.files) == {"compose.yaml", "config/settings.json"}


# What is refused


def test_an_unknown_stack_gets_the_corrected_words(tmp_path: Path) -> None:
    write(tmp_path, PLAIN, stack_name="shop")
    write(tmp_path, PLAIN, stack_name="mail")
    with pytest.raises(MaestroError) as caught:
        files.load(tmp_path / "docker", "shpo", "staging", {})
    assert caught.value.what == "unknown stack 'shpo'"
    assert "did you mean `-e stack=shop`?" in caught.value.fix
    assert "known stacks: mail, shop;" in caught.value.fix


@pytest.mark.parametrize("name", ["../docker/shop", "", "Shop", "shop\n", "-shop", "zebra"])
def test_a_name_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    write(tmp_path, PLAIN)
    with pytest.raises(MaestroError, match="unknown stack"):
        files.load(tmp_path / "docker", name, "staging", {})


def test_no_stacks_at_all(tmp_path: Path) -> None:
    with pytest.raises(MaestroError, match="known stacks: none"):
        files.load(tmp_path / "docker", "shop", "staging", {})


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("services:\n  web: [\n", "shop/compose.yaml:3:1", "not valid YAML: "),
        ("services:\n  web: {a: b: c}\n", "shop/compose.yaml:2:13", "not valid YAML: "),
        ("services:\n\tweb: {}\n", "shop/compose.yaml:2:1", "not valid YAML: "),
        ("services: {a: &x {}}\nb: *y\n", "shop/compose.yaml:2:4", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "shop/compose.yaml:2:1", "not valid YAML"),
        ("services: !unknown {}\n", "shop/compose.yaml:1:11", "not valid YAML"),
        ("services: \x01\n", "shop/compose.yaml", "not valid YAML"),
        ("", "shop/compose.yaml", "no mapping under `services`"),
        ("just text", "shop/compose.yaml", "no mapping under `services`"),
        ("[1, 2]", "shop/compose.yaml", "no mapping under `services`"),
        ("name: shop\n", "shop/compose.yaml", "no mapping under `services`"),
        ("services: [web]\n", "shop/compose.yaml", "no mapping under `services`"),
        ("services:\n", "shop/compose.yaml", "no mapping under `services`"),
    ],
)
def test_a_file_that_is_no_compose_file(tmp_path: Path, text: str, where: str, what: str) -> None:
    write(tmp_path, "x")
    (tmp_path / "docker/shop/compose.yaml").write_text(text)
    (problem,) = refused(tmp_path, "")
    assert problem.where == where
    assert what in problem.what
    assert problem.fix


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, "x").write_bytes(b"services: \xff\xfe")
    (problem,) = refused(tmp_path, "")
    assert problem.where == "shop/compose.yaml"
    assert problem.what.startswith("cannot be read: ")
    assert "UTF-8" in problem.fix


def test_two_broken_files_are_both_named(tmp_path: Path) -> None:
    write(tmp_path, "services: [", "compose.staging.yaml")
    problems = refused(tmp_path, "services: [")
    assert [problem.where.split(":")[0] for problem in problems] == [
        "shop/compose.yaml",
        "shop/compose.staging.yaml",
    ]


@pytest.mark.parametrize(
    ("text", "where", "what", "fix"),
    [
        (
            "services: {web: text}",
            "shop/compose.yaml: services.web",
            "found text ('text'), a service is a mapping",
            "indented below the name",
        ),
        (
            "services: {web: [a, b]}",
            "shop/compose.yaml: services.web",
            "found a list, a service is a mapping",
            "indented below the name",
        ),
        (
            "services: {web: 5}",
            "shop/compose.yaml: services.web",
            "found a number (5), a service is a mapping",
            "indented below the name",
        ),
        (
            "services: {}\nservcies: {}",
            "shop/compose.yaml: servcies",
            "unknown key",
            "did you mean services? allowed: configs, include, name,",
        ),
        (
            "services: {}\nzzz: {}",
            "shop/compose.yaml: zzz",
            "unknown key",
            "networks, secrets, services, version, volumes, x-maestro",
        ),
        (
            "services: {}\nx-meastro: {}",
            "shop/compose.yaml: x-meastro",
            "looks misspelt",
            "use x-maestro",
        ),
        (
            "services: {}\nsecrets: [token]",
            "shop/compose.yaml: secrets",
            "found a list, not a mapping",
            "write `NAME: {...}`",
        ),
        (
            "services: {}\nconfigs: settings.json",
            "shop/compose.yaml: configs",
            "found text ('settings.json'), not a mapping",
            "write `NAME: {...}`",
        ),
        (
            "services: {web: {image: a, secrets: token}}",
            "shop/compose.yaml: services.web.secrets",
            "found text ('token'), not a list",
            "write `- NAME`",
        ),
        (
            "services: {web: {image: a, secrets: [a, {target: x}]}}",
            "shop/compose.yaml: services.web.secrets[1]",
            "found a mapping",
            "allowed: a name, or a mapping with `source: NAME`",
        ),
        (
            "services: {web: {image: a, configs: [5]}}",
            "shop/compose.yaml: services.web.configs[0]",
            "found a number (5)",
            "allowed: a name, or a mapping",
        ),
        (
            "services: {web: {image: a, volumes: ['../src:/src']}}",
            "shop/compose.yaml: services.web.volumes[0]",
            "found ../src: a mount from outside the stack's directory",
            "allowed: named volumes and absolute paths",
        ),
        (
            "services: {web: {image: a, volumes: [d:/d, {type: bind, source: ./a/../../b}]}}",
            "shop/compose.yaml: services.web.volumes[1]",
            "found ./a/../../b: a mount from outside",
            "allowed:",
        ),
    ],
)
def test_a_malformed_compose_file(
    tmp_path: Path, text: str, where: str, what: str, fix: str
) -> None:
    (problem,) = refused(tmp_path, text)
    assert problem.where == where
    assert what in problem.what
    assert fix in problem.fix


def test_keys_of_one_s_own_are_allowed(tmp_path: Path) -> None:
    load(tmp_path, PLAIN + "x-build: {}\nx-service: {}\nversion: '3'\nnetworks:\nvolumes: {}\n")


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ("../outside.json", "lies outside the stack's directory"),
        ("/etc/hostname", "lies outside the stack's directory"),
        ("missing.json", "cannot be read: No such file or directory"),
        ("folder", "is a directory, not a file"),
        ("pipe", "is a named pipe, not a file"),
        ("out", "lies outside the stack's directory"),
        ("zero", "lies outside the stack's directory"),
        ("loop", "cannot be read: "),
        ("large.bin", "has 9 MiB, more than 8 MiB"),
    ],
)
def test_a_file_it_names_that_cannot_go_along(tmp_path: Path, config: str, what: str) -> None:
    home = write(tmp_path, "x", "folder/x").parents[1]
    os.mkfifo(home / "pipe")
    (home / "out").symlink_to("../outside.json")
    (home / "zero").symlink_to("/dev/zero")
    (home / "loop").symlink_to("loop")
    with open(home / "large.bin", "wb") as stream:
        stream.truncate(9 << 20)
    (tmp_path / "docker" / "outside.json").write_text("{}")
    reader = PLAIN.replace('web:v1"}', 'web:v1", configs: [c]}')
    (problem,) = refused(tmp_path, reader + f"configs: {{c: {{file: {config}}}}}\n")
    assert problem.what == f"the file {config} {what}" or what in problem.what
    assert config in problem.what
    assert problem.where == "shop/compose.yaml: configs.c.file"
    assert problem.fix


# x-maestro


def test_a_whole_extension_is_accepted(tmp_path: Path) -> None:
    load(
        tmp_path,
        extended(
            """
            migrations:
              - {service: db, database: shared, timeout: 1.5}
              - {service: "${MIGRATOR:-db}", database: "${SCOPE:-host}"}
            smoke:
              - name: all of it
                attempts: 3
                timeout: 2
                http: {service: web, port: 80, path: /a, scheme: https, status: 301,
                       headers: {Host: shop}, contains: text, json: {a: {b: 1}}}
              - http: {port: "${PORT:-80}"}
              - tcp: {port: "65535", service: db}
              - command: {service: db, argv: ["true"]}
            secret_owners: {db: 999, web: 0}
            throw_away: {web: [/var/cache]}
            """
        ),
    )


EXTENSIONS: list[tuple[str, str, str, str]] = [
    (
        "smok: []",
        "",
        "unknown key smok",
        "did you mean smoke? allowed: ",
    ),
    ("zzz: 1\nsmok: 2", "", "unknown key zzz, smok", "did you mean smoke?"),
    ("migrations: {service: db}", ".migrations", "found a mapping", "allowed: a list"),
    ("migrations: [db]", ".migrations[0]", "found text ('db')", "allowed: a mapping"),
    ("migrations: [{}]", ".migrations[0]", "lacks service", "found: nothing"),
    ("migrations: [{service: 5}]", ".migrations[0].service", "found a number (5)", "allowed: text"),
    (
        "migrations: [{service: dbb}]",
        ".migrations[0].service",
        "unknown service 'dbb'",
        "did you mean db? allowed: db, web",
    ),
    (
        "migrations: [{service: db, databse: host}]",
        ".migrations[0]",
        "unknown key databse",
        "did you mean database?",
    ),
    (
        "migrations: [{service: db, database: own}]",
        ".migrations[0].database",
        "found 'own'",
        "allowed: host, shared",
    ),
    (
        "migrations: [{service: db, timeout: 0}]",
        ".migrations[0].timeout",
        "found 0",
        "allowed: more than 0",
    ),
    (
        "migrations: [{service: db, timeout: long}]",
        ".migrations[0].timeout",
        "found text ('long')",
        "allowed: number",
    ),
    ("smoke: 5", ".smoke", "found a number (5)", "allowed: a list"),
    ("smoke: [5]", ".smoke[0]", "found a number (5)", "allowed: a mapping"),
    ("smoke: [true]", ".smoke[0]", "found true/false (True)", "allowed: a mapping"),
    ("smoke: [null]", ".smoke[0]", "found nothing", "allowed: a mapping"),
    ("smoke: [{name: x}]", ".smoke[0]", "found none of http, tcp and command", "exactly one"),
    (
        "smoke: [{http: {port: 1}, tcp: {port: 1}}]",
        ".smoke[0]",
        "found http and tcp of http, tcp and command",
        "exactly one",
    ),
    ("smoke: [{http: {}}]", ".smoke[0].http", "lacks port", "set port, or edge: true"),
    ("smoke: [{http: {port: 0}}]", ".smoke[0].http.port", "found 0", "a number from 1 to 65535"),
    (
        "smoke: [{http: {port: 65536}}]",
        ".smoke[0].http.port",
        "found 65536",
        "a number from 1 to 65535",
    ),
    (
        "smoke: [{http: {port: '99999'}}]",
        ".smoke[0].http.port",
        "found '99999'",
        "a number from 1 to 65535",
    ),
    (
        "smoke: [{http: {port: '0'}}]",
        ".smoke[0].http.port",
        "found '0'",
        "a number from 1 to 65535",
    ),
    (
        "smoke: [{http: {port: http}}]",
        ".smoke[0].http.port",
        "found 'http'",
        "a number from 1 to 65535",
    ),
    (
        "smoke: [{http: {port: true}}]",
        ".smoke[0].http.port",
        "found True",
        "a number from 1 to 65535",
    ),
    (
        "smoke: [{http: {port: 80, path: health}}]",
        ".smoke[0].http.path",
        "found 'health'",
        "text that matches ^/",
    ),
    (
        "smoke: [{http: {port: 80, scheme: ftp}}]",
        ".smoke[0].http.scheme",
        "found 'ftp'",
        "allowed: http, https",
    ),
    (
        "smoke: [{http: {port: 80, status: 99}}]",
        ".smoke[0].http.status",
        "found 99",
        "allowed: 100 or more",
    ),
    (
        "smoke: [{http: {port: 80, status: 600}}]",
        ".smoke[0].http.status",
        "found 600",
        "allowed: 599 or less",
    ),
    (
        "smoke: [{http: {port: 80, json: [1]}}]",
        ".smoke[0].http.json",
        "found a list",
        "allowed: a mapping",
    ),
    (
        "smoke: [{http: {port: 80, servce: web}}]",
        ".smoke[0].http",
        "unknown key servce",
        "did you mean service?",
    ),
    (
        "smoke: [{http: {port: 80, service: wep}}]",
        ".smoke[0].http.service",
        "unknown service 'wep'",
        "did you mean web?",
    ),
    (
        "smoke: [{tcp: {port: 80, service: x}}]",
        ".smoke[0].tcp.service",
        "unknown service 'x'",
        "allowed: db, web",
    ),
    ("smoke: [{tcp: 80}]", ".smoke[0].tcp", "found a number (80)", "allowed: a mapping"),
    ("smoke: [{command: {service: db}}]", ".smoke[0].command", "lacks argv", "found: service"),
    (
        "smoke: [{command: {service: db, argv: []}}]",
        ".smoke[0].command.argv",
        "found []",
        "a list of at least 1",
    ),
    (
        "smoke: [{command: {service: db, argv: ls}}]",
        ".smoke[0].command.argv",
        "found text ('ls')",
        "allowed: a list",
    ),
    (
        "smoke: [{tcp: {port: 1}, attempts: 0}]",
        ".smoke[0].attempts",
        "found 0",
        "allowed: 1 or more",
    ),
    ("routes: [{service: web}]", ".routes[0]", "lacks port", "found: service"),
    (
        "routes: [{service: wep, port: 80}]",
        ".routes[0].service",
        "unknown service 'wep'",
        "did you mean web?",
    ),
    (
        "routes: [{service: web, port: 0}]",
        ".routes[0].port",
        "found 0",
        "a number from 1 to 65535",
    ),
    (
        "routes: [{service: web, port: 80, host: 'a`b'}]",
        ".routes[0].host",
        "found 'a`b'",
        "a host name such as",
    ),
    (
        "routes: [{service: web, port: 80, path: api}]",
        ".routes[0].path",
        "found 'api'",
        "text that matches ^/",
    ),
    (
        "routes: [{service: web, port: 80, rate_limit: {burst: 5}}]",
        ".routes[0].rate_limit",
        "lacks average",
        "found: burst",
    ),
    (
        "routes: [{service: web, port: 80, rate_limit: {average: -1}}]",
        ".routes[0].rate_limit.average",
        "found -1",
        "a whole number of 0 or more",
    ),
    (
        "routes: [{service: web, port: 80, rate_limit: {average: 1, burst: 0}}]",
        ".routes[0].rate_limit.burst",
        "found 0",
        "a whole number of 1 or more",
    ),
    (
        "routes: [{service: web, port: 80, canary: {weight: 100}}]",
        ".routes[0].canary.weight",
        "found 100",
        "a percentage from 1 to 99",
    ),
    (
        "routes: [{service: web, port: 80, canary: {weight: 9, checks: [{name: x}]}}]",
        ".routes[0].canary.checks[0]",
        "found none of http and prometheus",
        "exactly one",
    ),
    (
        "routes: [{service: web, port: 80, path: /a, health: [/b]}]",
        ".routes[0].health",
        "found /b, which is not below /a",
        "such as /a/health",
    ),
    (
        "routes: [{service: web, port: 80, path: /a/}, {service: db, port: 81, path: /a}]",
        ".routes[1]",
        "the same requests (any host, /a) as shop/compose.yaml: x-maestro.routes[0]",
        "another host or path",
    ),
    (
        "smoke: [{http: {edge: true, port: 80}}]",
        ".smoke[0].http",
        "found port beside edge",
        "only host and path",
    ),
    (
        "smoke: [{http: {port: 80, host: a.test}}]",
        ".smoke[0].http",
        "found host without edge",
        "headers: {Host: NAME}",
    ),
    (
        "{migrations: [{service: db}], routes: [{service: db, port: 80}]}",
        ".routes[0].service",
        "db is a migration and exits: it cannot answer requests",
        "keeps running",
    ),
    ("secret_owners: [db]", ".secret_owners", "found a list", "allowed: a mapping"),
    (
        "secret_owners: {db: root}",
        ".secret_owners.db",
        "found text ('root')",
        "allowed: a whole number",
    ),
    ("secret_owners: {db: -1}", ".secret_owners.db", "found -1", "allowed: 0 or more"),
    ("throw_away: {web: [cache]}", ".throw_away.web[0]", "found 'cache'", "text that matches ^/"),
    ("throw_away: {dbb: [/a]}", ".throw_away.dbb", "unknown service 'dbb'", "did you mean db?"),
    ("watchdog: off-and-on", ".watchdog", "found 'off-and-on'", "allowed: true or false, or by"),
    ("watchdog: {dbb: false}", ".watchdog.dbb", "unknown service 'dbb'", "did you mean db?"),
    (
        "watchdog: {db: {restarts: 0}}",
        ".watchdog",
        "found {'db': {'restarts': 0}}",
        "the most within an hour (1 to 60)",
    ),
    ("secret_owners: {dbb: 5}", ".secret_owners.dbb", "unknown service 'dbb'", "did you mean db?"),
]


@pytest.mark.parametrize(
    ("extension", "path", "what", "fix"), EXTENSIONS, ids=[e[0] for e in EXTENSIONS]
)
def test_a_malformed_extension(
    tmp_path: Path, extension: str, path: str, what: str, fix: str
) -> None:
    (problem,) = refused(tmp_path, extended(extension))
    assert problem.where == f"shop/compose.yaml: x-maestro{path}"
    assert problem.what == what
    assert fix in problem.fix


@pytest.mark.parametrize("value", ["text", "[smoke]", "5"])
def test_an_extension_that_is_no_mapping(tmp_path: Path, value: str) -> None:
    (problem,) = refused(tmp_path, PLAIN + f"x-maestro: {value}")
    assert problem.where == "shop/compose.yaml: x-maestro"
    assert problem.fix == "allowed: a mapping"


def test_an_extension_in_an_environment_s_file_is_judged_there(tmp_path: Path) -> None:
    write(tmp_path, "services: {}\nx-maestro: {smok: []}", "compose.staging.yaml")
    (problem,) = refused(tmp_path, PLAIN)
    assert problem.where == "shop/compose.staging.yaml: x-maestro"


def test_all_problems_of_all_kinds_at_once(tmp_path: Path) -> None:
    write(tmp_path, "services: {web: nothing}", "compose.staging.yaml")
    problems = refused(
        tmp_path,
        """
        services:
          web: {image: "r.test/web:${TAG}", volumes: ["../x:/x"]}
          db: 5
        volums: {}
        x-mestro: {}
        x-maestro:
          migrations: [{service: migrat, databse: host}]
          smoke: [{http: {port: 70000}}, {name: x}]
        """,
    )
    assert places(problems) == {
        "shop/compose.yaml: volums",
        "shop/compose.yaml: x-mestro",
        "shop/compose.yaml: services.db",
        "shop/compose.staging.yaml: services.web",
        "shop/compose.yaml: services.web.volumes[0]",
        "shop/compose.yaml: x-maestro.migrations[0]",
        "shop/compose.yaml: x-maestro.migrations[0].service",
        "shop/compose.yaml: x-maestro.smoke[0].http.port",
        "shop/compose.yaml: x-maestro.smoke[1]",
        "shop/compose.yaml: services.web.image",
    }
    assert len(problems) == 10
    assert all(problem.what and problem.fix for problem in problems)


def test_variables_are_judged_when_they_are_filled_in() -> None:
    extension: dict[str, Any] = {
        "migrations": [{"service": "${MIGRATOR}", "database": "${SCOPE}"}],
        "smoke": [{"tcp": {"port": "${PORT}"}}, "${CHECK}"],
    }
    assert stack_extension.extension_problems(extension, "x", ["db"]) == []
    assert {
        str(p.where)
        for p in stack_extension.extension_problems(extension, "x", ["db"], filled=True)
    } == {
        "x.migrations[0].service",
        "x.migrations[0].database",
        "x.smoke[0].tcp.port",
        "x.smoke[1]",
    }


# Variables


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("${A}", ["A"]),
        ("$A", ["A"]),
        ("x${A}y${B}", ["A", "B"]),
        ("${A:?say it}", ["A"]),
        ("${A?say it}", ["A"]),
        ("$$$A", ["A"]),
        ("${A:-default}", []),
        ("${A-}", []),
        ("${A:+with}", []),
        ("${A+with}", []),
        ("$$A", []),
        ("$${A}", []),
        ("${REGISTRY}/x:${VERSION}", []),
        ("${GIVEN}", []),
        ("costs 5$ or $5", []),
    ],
)
def test_variables_without_a_value(tmp_path: Path, text: str, missing: list[str]) -> None:
    document = {"services": {"web": {"image": "r.test/w:1", "environment": ["X=1", text]}}}
    write(tmp_path, yaml.safe_dump(document))
    if not missing:
        load(tmp_path, GIVEN="")
        return
    problems = refused(tmp_path, "", GIVEN="")
    assert [
        re.findall(r"the variable (\w+) has no value and no default", p.what)[0] for p in problems
    ] == missing
    assert places(problems) == {"shop/compose.yaml: services.web.environment[1]"}
    assert "maestro_stack_variables.shop.A" in problems[0].fix
    assert "${A:-default}" in problems[0].fix


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("v1", True),
        ("1.2.3_rc-1", True),
        ("_a", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("", False),
        ("-a", False),
        (".a", False),
        ("a b", False),
        ("a:b", False),
        ("v1\n", False),
    ],
)
def test_the_grammar_of_a_tag(tag: str, fits: bool) -> None:
    assert bool(naming.TAG.match(tag)) == fits


# What misled


@pytest.mark.parametrize("key", ["x-master", "x-manifest", "x-maintainer", "x-master-config"])
def test_another_tool_s_key_is_no_misspelling(tmp_path: Path, key: str) -> None:
    load(tmp_path, PLAIN + f"{key}: {{}}\n")


@pytest.mark.parametrize("key", ["x-maesto", "x-maestor", "x-Maestro", "x-mastro", "x-maestroo"])
def test_a_misspelling_is_one(tmp_path: Path, key: str) -> None:
    (problem,) = refused(tmp_path, PLAIN + f"{key}: {{}}\n")
    assert (problem.what, problem.fix) == ("looks misspelt", "use x-maestro")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("services: {web: {image: a, x-maestro: {}}}", "services.web.x-maestro"),
        ("services: {web: {image: a, x-maesto: {}}}", "services.web.x-maesto"),
        ("services: {web: {image: a}}\nvolumes: {v: {x-maestro: 1}}", "volumes.v.x-maestro"),
        (
            "x-a: &a {x-maestro: {}}\nservices: {web: {<<: *a, image: a}}",
            "services.web.x-maestro",
        ),
    ],
)
def test_our_key_in_a_part_that_nobody_reads_it_in(tmp_path: Path, text: str, where: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert problem.where == f"shop/compose.yaml: {where}"
    assert problem.what.endswith("is not read here")
    assert "top level" in problem.fix


@pytest.mark.parametrize("key", ["x-master", "x-logging"])
def test_another_tool_s_key_may_stand_in_a_service(tmp_path: Path, key: str) -> None:
    load(tmp_path, f"services: {{web: {{image: a, {key}: {{}}}}}}")


def test_a_directory_whose_name_is_no_stack_s(tmp_path: Path) -> None:
    write(tmp_path, PLAIN, stack_name="MyShop")
    with pytest.raises(MaestroError) as caught:
        files.load(tmp_path / "docker", "MyShop", "staging", {})
    assert caught.value.what == "'MyShop' cannot name a stack"
    assert "rename the directory" in caught.value.fix
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "doubled"),
    [
        ("command: echo $HOSTNAME", True),
        ("entrypoint: [sh, -c, 'echo ${HOSTNAME}']", True),
        ("healthcheck: {test: 'nc $HOSTNAME 1'}", True),
        ("environment: {A: $HOSTNAME}", False),
    ],
)
def test_a_variable_for_the_container_is_written_with_two_dollars(
    tmp_path: Path, service: str, doubled: bool
) -> None:
    (problem,) = refused(tmp_path, f"services: {{web: {{image: a, {service}}}}}")
    assert ("write $$HOSTNAME" in problem.fix) is doubled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${A:?set A to the port}", ": set A to the port"),
        ("${A?set A}", ": set A"),
        ("${A}", ""),
        ("${B:-${A}}", ""),
        ("${B-${A:?words}}", ": words"),
    ],
)
def test_the_author_s_own_words_are_shown(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = refused(tmp_path, f"services: {{web: {{image: a, user: '{text}'}}}}")
    assert problem.what == f"the variable A has no value and no default{said}"


@pytest.mark.parametrize("text", ["${A:-}", "${A:+b}", "${B:-${A}}", "$$A", "${C:-${B:-${A:-x}}}"])
def test_a_variable_that_may_be_open(tmp_path: Path, text: str) -> None:
    load(tmp_path, f"services: {{web: {{image: a, user: '{text}'}}}}", B="b")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("services: &a {<<: *a}", "the alias *a stands inside what it is the name of"),
        ("services: {web: &w [*w]}", "the alias *w stands inside"),
        (f"services: {'{a: ' * 200}", "nested deeper than 60 levels"),
        (
            "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
            + "services: {}",
            "its aliases written out",
        ),
        ("services: {web: {image: a, user: !!int x}}", "not what its tag or its form says"),
        (f"services: {{web: {{image: a, scale: {'9' * 5000}}}}}", "not what its tag or its form"),
        ("services: {web: {image: a, user: !!timestamp x}}", "not what its tag or its form"),
        ("x-big: '" + "x" * (1 << 20) + "'\nservices: {}", "more than 1 MiB"),
        ("services: {}\nconfigs: {..: {content: a}}", "'..' names no file"),
        ("services: {a: {image: a, models: [m]}}\nmodels: {m: {model: ai/m}}", "no host has"),
    ],
)
def test_a_file_that_is_a_weapon(tmp_path: Path, text: str, what: str) -> None:
    start = time.monotonic()
    (problem,) = refused(tmp_path, text)
    assert what in problem.what
    assert problem.where.startswith("shop/compose.yaml")
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "large"])
def test_a_compose_file_that_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "docker/shop/compose.yaml"
    path.parent.mkdir(parents=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "large":
            with open(path, "wb") as stream:
                stream.truncate(200 << 20)
    (problem,) = refused(tmp_path, "")
    assert problem.where == "shop/compose.yaml"
    assert problem.fix


def test_a_link_inside_the_directory_is_followed(tmp_path: Path) -> None:
    home = write(tmp_path, PLAIN + "configs: {c: {file: link.json}}").parent
    (home / "real.json").write_text("{}")
    (home / "link.json").symlink_to("real.json")
    assert File.from_json(load(tmp_path).files["link.json"]).content == b"{}"


def test_all_files_together_have_a_bound(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(5)]
    configs = ", ".join(f"{name}: {{file: {name}}}" for name in names)
    home = write(tmp_path, f"services: {{}}\nconfigs: {{{configs}}}").parent
    for name in names:
        with open(home / name, "wb") as stream:
            stream.truncate(7 << 20)
    (problem,) = refused(tmp_path, "")
    assert problem.what == "its files have more than 32 MiB together"


@pytest.mark.parametrize("name", ["-rf", "--volumes", "..", ".hidden"])
def test_a_service_s_name_is_no_option_and_no_path(tmp_path: Path, name: str) -> None:
    (problem,) = refused(tmp_path, f"services: {{{name!r}: {{image: 'r.test/a:1'}}}}")
    assert problem.what == f"{name!r} cannot name a service"
    assert problem.where == "shop/compose.yaml: services"

"""Variables that are secrets, the env files they stand in, and the way to their containers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import stack_models as models
import yaml

from maestro.errors import Line
from maestro.host import carried, compose
from maestro.host.files import File
from maestro.host.secret_files import SecretFile
from maestro.play import host_variables
from maestro.redaction.redactor import Redactor
from maestro.release import drift, recorded
from maestro.release.render import render
from maestro.stack import files, secret_variables
from maestro.stack.interpolation import dotenv

MARKED = secret_variables.mark("db.pw")
COMPOSE = """
services:
  web:
    image: r.test/web:1
    environment: {URL: "x://${DB_PW}@db"}
  tool:
    image: r.test/tool:1
    profiles: [tools]
    environment: [OTHER]
secrets:
  db.pw: {environment: DB_PW}
  other: {environment: OTHER}
  file: {file: ./x}
"""


def look(home: Path, text: str, **env_files: str) -> tuple[files.Stack, list[Any]]:
    (home / "shop").mkdir(exist_ok=True)
    (home / "shop/compose.yaml").write_text(text)
    for name, content in env_files.items():
        (home / "shop" / name.replace("__", ".")).write_text(content)
    return files.look(home, "shop", "staging", {})


def test_a_secret_of_a_variable_is_read_by_who_uses_the_variable(tmp_path: Path) -> None:
    loaded, problems = look(tmp_path, COMPOSE)
    assert problems == []
    assert loaded.secret_names == ["db.pw"]
    assert loaded.secrets_of("tool") == {"other"}  # for whoever makes the secrets of all profiles
    request: Any = {"variables": {"A": "b"}, **host_variables.read_of(loaded)}
    assert host_variables.filled(request) == {
        "A": "b",
        "DB_PW": MARKED,
        "OTHER": secret_variables.mark("other"),
    }


@pytest.mark.parametrize(
    ("service", "secrets"),
    [
        ({"environment": {"DB_PW": None}}, {"db.pw"}),
        ({"environment": ["DB_PW"]}, {"db.pw"}),
        ({"environment": ["DB_PW=mine", "X=${DB_PW:-x}"]}, {"db.pw"}),
        ({"environment": ["DB_PW=mine"]}, set()),
        ({"environment": ["X=$$DB_PW"]}, set()),
        ({"env_file": "web.env"}, {"db.pw"}),
    ],
)
def test_who_reads_it(service: dict[str, Any], secrets: set[str]) -> None:
    texts = ["export DB_PW=of development\n"] if "env_file" in service else []
    assert secret_variables.read_by(service, texts, {"DB_PW": "db.pw"}) == secrets


@pytest.mark.parametrize(
    "text",
    [
        "DB_PW=a",
        "export DB_PW = 'a b' # words",
        "DB_PW: a",
        'DB_PW="a\nof two lines \\" and more"',
        "DB_PW='a\n=b'",
        "DB_PW=",
    ],
)
def test_no_value_of_it_goes_along(text: str) -> None:
    before, after = "FIRST=1\nMY_DB_PW=kept\n", "\nLAST=${FIRST}\n"
    found = secret_variables.marked(before + text + after, {"DB_PW": "db.pw"})
    assert dotenv(found, {}) == {
        "FIRST": "1",
        "MY_DB_PW": "kept",
        "DB_PW": MARKED,
        "LAST": "1",
    }
    assert secret_variables.marked(before, {"DB_PW": "db.pw"}) == before


SECRETS = {
    "DB_PASSWORD": "x",
    "API_KEY": "1234",
    "DATABASE_URL": "postgres://me:hunter2hunter2@db/x",
    "SLACK": "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
}
PLAIN = {
    "DB_PASSWORD": "",
    "REQUIRE_TOKEN": "true",
    "DB_PASSWORD_FILE": "/run/secrets/db",
    "DB_PASSWD": "/run/secrets/db",
    "MAX_TOKENS": "100",
    "DATABASE_URL": "postgres://db/x",
    "LOG_LEVEL": "info",
}


def test_what_looks_like_a_secret_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    text = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
    found = list(secret_variables.in_env_file(text, "shop/.env", "staging", {}))
    assert [problem.lines for problem in found] == [
        (Line(("secrets", name.lower()), {"environment": name}),) for name in sorted(SECRETS)
    ]
    assert not any(value in str(found) for value in list(SECRETS.values())[2:])
    assert not list(secret_variables.in_env_file(text, "shop/.env", "development", {}))
    known = {name: name.lower() for name in SECRETS}
    assert not list(secret_variables.in_env_file(text, "shop/.env", "staging", known))
    other = "".join(f"{name}={value}\n" for name, value in PLAIN.items())
    assert not list(secret_variables.in_env_file(other, "shop/.env", "staging", {}))
    # In a stack: in each file that gives values, once.
    service = "services: {web: {image: 'a:1', env_file: [web.env, .env]}}"
    _, problems = look(
        tmp_path, service, web__env="A_TOKEN=x\n", __env="B_TOKEN=x\n", __env__staging="C_TOKEN=x\n"
    )
    assert [problem.where for problem in problems] == [
        "shop/.env",
        "shop/.env.staging",
        "shop/web.env",
    ]


def test_an_env_file_of_the_environment_counts_more(tmp_path: Path) -> None:
    loaded, problems = look(
        tmp_path,
        "services: {web: {image: 'a:${TAG}', env_file: '${ONE}.env'}}",
        __env="ONE=of-all\nTAG=1\n",
        __env__staging="ONE=here-${TAG}\n",
        **{"here-1__env": "", "__env__production": "ONE=x"},
    )
    assert problems == []
    assert loaded.env_files == [".env", ".env.staging"]
    assert set(loaded.files) == {"compose.yaml", ".env", ".env.staging", "here-1.env"}
    assert host_variables.read_of(loaded)["env_files"] == [".env", ".env.staging"]


def test_only_an_env_file_that_compose_finds_by_itself_is_not_named(tmp_path: Path) -> None:
    loaded, _ = look(tmp_path, "services: {web: {image: 'a:1'}}", __env="A=1\n")
    assert host_variables.read_of(loaded)["env_files"] == []


def shop(**environment: str) -> dict[str, Any]:
    model = models.shop()
    model["services"]["web"]["environment"] = environment
    return model


def test_a_secret_elsewhere_than_in_an_environment_is_refused() -> None:
    model = shop(URL=f"x://{MARKED}")
    model["services"]["web"] |= {"command": ["run", MARKED], "labels": {MARKED: "x"}}
    model["services"]["web"]["image"] = f"r.test/{MARKED}"
    found = list(secret_variables.out_of_place(model, "shop"))
    assert sorted(problem.where for problem in found) == [
        "shop/compose.yaml: services.web.command[1]",
        "shop/compose.yaml: services.web.image",
        f"shop/compose.yaml: services.web.labels.{MARKED}",
    ]
    assert (
        "environment.URL: the secret db.pw is in the environment"
        in (secret_variables.weaker(model)[0])
    )


def test_a_value_in_plain_text_that_looks_like_a_secret_is_named_and_not_shown() -> None:
    token = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"  # by its form
    given = {
        "POSTGRES_PASSWORD": "hunter22",
        "GITHUB": token,
        "DB_PASSWORD_FILE": "/run/secrets/db",
    }
    (form, name) = secret_variables.literal(shop(**given, MODE="fast", API_KEY=f"{MARKED}"))
    assert form.startswith("services.web.environment.GITHUB looks like a secret, in plain text")
    assert "`secrets: {postgres_password: {environment: POSTGRES_PASSWORD}}`" in name
    assert Redactor(()).text(f"    warning   {name}") == f"    warning   {name}"
    assert token not in form
    assert "hunter22" not in name


VERSIONS = {"db_password": models.RELEASE, "db.pw": models.RELEASE}


def test_a_release_has_a_variable_in_its_place() -> None:
    found = render(models.wish(shop(URL=f"x://{MARKED}@a", PRICE="5$$"), secrets=VERSIONS))
    file = SecretFile("db.pw", models.RELEASE, 0)
    environment = found.compose["services"]["web"]["environment"]
    assert environment == {"URL": f"x://{carried.reference(file.path)}@a", "PRICE": "5$$"}
    assert file.as_json() in found.secret_files
    assert carried.paths(found.text) == [file.path]
    assert MARKED not in found.text
    # Another version is another definition: its reader is replaced, and nobody else.
    newer = recorded.with_secrets(copy.deepcopy(found), {"db.pw": "20270101T000000Z-aaaa"})
    assert recorded.readers(found)["db.pw"] == recorded.readers(newer)["db.pw"] == {"web"}
    changed = {name for name, it in newer.services.items() if it != found.services[name]}
    assert changed == {"web"}
    assert carried.paths(newer.text) == ["db.pw/20270101T000000Z-aaaa/0"]
    assert {"name": "db.pw", "version": "20270101T000000Z-aaaa", "uid": 0} in newer.secret_files


def test_a_host_gives_compose_what_a_release_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "db.pw/r1/0"
    release = tmp_path / "shop/releases/r1/compose.yaml"
    release.parent.mkdir(parents=True)
    text = f"a: x{carried.reference(path)}\nb: ${carried.reference('other/r1/0')}\n"
    release.write_text(text)
    argv = compose.arguments("shop", release, "up")
    assert carried.values(argv) == {}
    secret = tmp_path / "shop/secrets" / path
    secret.parent.mkdir(parents=True)
    secret.write_bytes(b"lines\nof $it \xff")
    name = f"{carried.PREFIX}{path.encode().hex()}"
    assert carried.values(argv) == {name: "lines\nof $it \udcff"}
    assert carried.stand_ins(text) == {name: "x"}
    assert carried.values(compose.arguments("shop", tmp_path / "compose.yaml", "up")) == {}
    # It is in the environment of Compose, and in no argument.
    monkeypatch.setattr(compose, "program", lambda: ["sh", "-c", f'printf %s "${name}"; shift', ""])
    assert compose.run(compose.arguments("shop", release)).stdout.startswith("lines\nof $it ")


def test_the_value_of_a_secret_is_no_drift() -> None:
    found = render(models.wish(shop(URL=f"x://{MARKED}@a", A="b"), secrets=VERSIONS))
    wanted: Any = yaml.safe_load(found.text)
    definition = wanted["services"]["web"]
    facts: Any = {
        "image": definition["image"],
        "env": {"URL": "some digest", "A": drift.digest("b")},
        "mounts": drift._mounts(definition, wanted),
        "memory": 67108864,
        "cpus": 0,
        "restart": "no",
    }
    assert drift._facts(facts, definition, wanted) == []
    facts["env"] = {"A": drift.digest("c")}
    assert drift._facts(facts, definition, wanted) == ["env A", "env URL"]


def test_the_files_that_go_along_hold_no_value(tmp_path: Path) -> None:
    loaded, _ = look(tmp_path, COMPOSE, __env="DB_PW=development\nOTHER=x\n")
    assert File.from_json(loaded.files[".env"]).content.decode() == (
        f"DB_PW={MARKED}\nOTHER={secret_variables.mark('other')}\n"
    )

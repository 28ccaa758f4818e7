"""What a stack consists of beyond its own file: included and extended files, and what they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError, MaestroErrors
from maestro.stack import files as stack


def files(tmp_path: Path, **contents: str) -> Path:
    """Write a stack; ``__`` in a name is a dot, ``_S_`` a slash."""
    for name, text in contents.items():
        path = tmp_path / "shop" / name.replace("_S_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def load(home: Path, *, version: str = "", profiles: tuple[str, ...] = (), **variables: str) -> Any:
    return stack.load(home, "shop", "staging", variables, version=version, profiles=profiles)


def refused(home: Path, **variables: str) -> list[MaestroError]:
    with pytest.raises(MaestroError) as caught:
        load(home, **variables)
    found = caught.value
    return found.problems if isinstance(found, MaestroErrors) else [found]


def test_a_file_of_includes_alone_is_a_stack(tmp_path: Path) -> None:
    """Nested, by list, with a project directory and environment files of their own."""
    home = files(
        tmp_path,
        compose__yaml="""
include:
  - web/compose.yaml
  - path: [db/base.yaml, db/more.yaml]
    project_directory: data
    env_file: [db/one.env]
x-maestro:
  routes: [{service: web, port: 8000, host: a.test}]
  migrations: [{service: migrate}]
  smoke: [{command: {service: db, argv: ["true"]}}]
""",
        web_S_compose__yaml="""
include: [inner/compose.yaml]
services:
  web: {image: "r.test/web:1", env_file: web.env, secrets: [token]}
configs: {page: {file: ./page.html}}
""",
        web_S_inner_S_compose__yaml="services: {migrate: {image: 'r.test/m:1', secrets: [deep]}}",
        web_S_web__env="A=b",
        web_S_page__html="<p>",
        db_S_base__yaml="services: {db: {image: 'r.test/db:${TAG}', env_file: db.env}}",
        db_S_more__yaml="services: {db: {secrets: [password]}}",
        db_S_one__env="TAG=17\n",
        data_S_db__env="B=c",
    )
    found = load(home)
    assert set(found.services) == {"web", "migrate", "db"}
    assert found.secret_names == ["deep", "password", "token"]
    assert set(found.files) == {
        *("compose.yaml", "web/compose.yaml", "web/inner/compose.yaml", "web/web.env"),
        *("web/page.html", "db/base.yaml", "db/more.yaml", "db/one.env", "data/db.env"),
    }
    assert found.compose_files == ["compose.yaml"]


def test_an_included_file_reads_its_own_dotenv_and_the_stack_s_counts_more(tmp_path: Path) -> None:
    home = files(
        tmp_path,
        compose__yaml="include: [part/compose.yaml]",
        __env="B=stack\n",
        part_S___env="A=one\nB=part\n",
        part_S_compose__yaml="services: {a: {image: 'r.test/a:1', env_file: ['${A}-${B}.env']}}",
        part_S_one_hyphen="",
        **{"part_S_one-stack__env": "", "part_S_given-stack__env": ""},
    )
    assert "part/one-stack.env" in load(home).files
    assert "part/given-stack.env" in load(home, A="given").files
    assert {".env", "part/.env"} <= set(load(home).files)


def test_a_service_that_a_later_file_takes_away_or_replaces_reads_nothing(tmp_path: Path) -> None:
    home = files(
        tmp_path,
        compose__yaml="""
services:
  web: {image: "r.test/a:1", secrets: [one], profiles: [debug]}
  dev: {image: "r.test/d:1", secrets: [two]}
""",
        compose__staging__yaml="""
services:
  web: !override {image: "r.test/b:1", secrets: [three]}
  dev: !reset null
""",
    )
    found = load(home)
    assert set(found.services) == {"web"}
    assert found.services["web"] == {"image": "r.test/b:1", "secrets": ["three"]}
    assert found.secret_names == ["three"]


@pytest.mark.parametrize(
    ("base", "what"),
    [
        (
            "services: {a: {image: r/a:1, env_file: [{path: ../../etc/x.env, required: false}]}}",
            "the file ../../etc/x.env lies outside the stack's directory",
        ),
        (
            "services: {a: {image: 'r.test/a:1', env_file: [{path: /no/such, required: false}]}}",
            "the file /no/such lies outside the stack's directory",
        ),
        (
            "include: [{path: part.yaml, project_directory: ../../etc}]",
            "the project directory ../../etc lies outside the stack's directory",
        ),
        (
            "include: [{path: part.yaml, project_directory: /etc}]",
            "the project directory /etc lies outside the stack's directory",
        ),
    ],
)
def test_what_a_host_alone_may_have_is_not_read(tmp_path: Path, base: str, what: str) -> None:
    """Compose reads the stack on a host, where such a path would lead to the host's own files."""
    home = files(tmp_path, compose__yaml=base, part__yaml="services: {b: {image: 'r.test/b:1'}}")
    (problem,) = refused(home)
    assert problem.what == what


def test_what_is_extended_goes_along_with_its_own_files_and_secrets(tmp_path: Path) -> None:
    """Only the service that is extended counts, through any number of files."""
    home = files(
        tmp_path,
        compose__yaml="""
services:
  web: {extends: {file: base/one.yaml, service: app}, secrets: [own]}
  api: {extends: web}
  off: {extends: {service: web}, profiles: [debug]}
""",
        base_S_one__yaml="""
services:
  app: {extends: {file: ../two.yaml, service: app}, env_file: app.env, secrets: [one]}
  other: {env_file: missing.env, secrets: [not_this], environment: {X: "${NOT_THIS}"}}
""",
        base_S_app__env="",
        two__yaml="services: {app: {image: 'r.test/a:1', secrets: [two]}}",
    )
    found = load(home)
    assert found.secret_names == ["one", "own", "two"]
    assert set(found.files) == {"compose.yaml", "base/one.yaml", "base/app.env", "two.yaml"}


@pytest.mark.parametrize(
    ("keys", "profiles", "wanted"),
    [
        ({"profiles": "[debug]"}, (), []),
        ({"profiles": "[debug]"}, ("debug",), ["s"]),
        ({"profiles": '["${P:-debug}"]'}, ("debug",), ["s"]),
        ({"profiles": '["${P:-debug}"]'}, ("other",), []),
        ({"scale": "0"}, (), []),
        ({"deploy": "{replicas: 0}"}, (), []),
        ({"deploy": '{replicas: "${N:-0}"}'}, (), ["s"]),
        ({"deploy": "{replicas: 2}"}, (), ["s"]),
        ({"profiles": "[]"}, (), ["s"]),
    ],
)
def test_secrets_are_those_of_services_that_are_deployed(
    tmp_path: Path, keys: dict[str, str], profiles: tuple[str, ...], wanted: list[str]
) -> None:
    said = ", ".join(f"{key}: {value}" for key, value in keys.items())
    home = files(
        tmp_path,
        compose__yaml=f"services: {{a: {{image: 'r.test/a:1', secrets: [s], {said}}}}}",
    )
    assert load(home, profiles=profiles).secret_names == wanted


def test_a_migration_is_deployed_whatever_its_profile(tmp_path: Path) -> None:
    home = files(
        tmp_path,
        compose__yaml="services: {m: {image: 'r.test/m:1', profiles: [tools], secrets: [s]}}\n"
        "x-maestro: {migrations: [{service: m}]}",
    )
    assert load(home).secret_names == ["s"]


def test_profiles_of_the_dotenv_count_where_none_are_said(tmp_path: Path) -> None:
    home = files(
        tmp_path,
        compose__yaml="services: {a: {image: 'r.test/a:1', secrets: [s], profiles: [x]}}",
        __env="COMPOSE_PROFILES=x, y\nCOMPOSE_PROJECT_NAME=shop\n",
    )
    assert load(home).profiles == {"x", "y"}
    assert load(home).secret_names == ["s"]
    assert load(home, profiles=("z",)).secret_names == []


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("[late]", ["early", "late"]),
        ("!override [late]", ["late"]),
        ("!reset []", []),
        ("!reset null", []),
    ],
)
def test_a_later_file_s_secrets_are_added_or_replace(
    tmp_path: Path, override: str, names: list[str]
) -> None:
    home = files(
        tmp_path,
        compose__yaml="services: {a: {image: 'r.test/a:1', secrets: [early]}}",
        compose__staging__yaml=f"services: {{a: {{secrets: {override}}}}}",
    )
    assert load(home).secret_names == names


def test_paths_hold_variables(tmp_path: Path) -> None:
    home = files(
        tmp_path,
        compose__yaml="""
include: ["parts/${PART:-one}.yaml"]
services: {a: {image: "r.test/a:1", env_file: "${DIR}/$NAME.env"}}
configs: {c: {file: "./conf/${STAGE:?which stage}.json"}, v: {file: "v/${VERSION}.txt"}}
""",
        parts_S_one__yaml="services: {}",
        env_S_x__env="",
        conf_S_blue__json="{}",
        v_S_v1__txt="",
    )
    given = {"DIR": "env", "NAME": "x", "STAGE": "blue"}
    assert set(load(home, version="v1", **given).files) == {
        *("compose.yaml", "parts/one.yaml", "env/x.env", "conf/blue.json", "v/v1.txt"),
    }
    (problem,) = refused(home, **given)
    assert problem.where == "shop/compose.yaml: configs.v.file"
    assert problem.fix == "add -e version=TAG"
    problems = refused(home, VERSION="v1", DIR="env", NAME="y")
    assert {problem.what for problem in problems} == {
        "the variable STAGE has no value and no default: which stage",
        "the file env/y.env cannot be read: No such file or directory",
    }


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("include: [gone.yaml]", "include[0]", "the file gone.yaml cannot be read"),
        ("include: [../x.yaml]", "include[0]", "lies outside the stack's directory"),
        ("include: ['https://a.test/x.yaml']", "include[0]", "is not a file of the stack"),
        ("include: [{path: 'oci://a.test/x'}]", "include[0]", "is not a file of the stack"),
        ("include: [compose.yaml]", "include[0]", "include each other in a circle"),
        ("include: [a.yaml]", "include[0]", "in a circle: compose.yaml -> a.yaml -> b.yaml -> a"),
        ("include: [mine.yaml]", "mine.yaml: x-maestro", "of a file that is included is not read"),
        (
            "include: [ok.yaml]\nservices: {b: {extends: {file: no.yaml}}}",
            "",
            "no.yaml",
        ),
        ("include: [{path: ok.yaml, env_file: no.env}]", "include[0]", "no.env cannot be read"),
        (
            "include: [{path: ok.yaml, project_directory: ..}]",
            "include[0].project_directory",
            "outside",
        ),
        ("services: {a: {image: 'r/a:1', label_file: [x]}}", "services.a.label_file", "cannot be"),
    ],
)
def test_what_cannot_be_followed_is_said_once(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    home = files(
        tmp_path,
        compose__yaml=text,
        a__yaml="include: [b.yaml]",
        b__yaml="include: [a.yaml]",
        mine__yaml="services: {}\nx-maestro: {}",
        ok__yaml="services: {a: {image: 'r.test/a:1', env_file: ok.env}}",
        ok__env="",
    )
    (problem,) = refused(home)
    assert where in problem.where
    assert what in problem.what
    assert str(problem).count("cannot be read") <= 1
    assert problem.fix


@pytest.mark.parametrize(
    ("dotenv", "what"),
    [
        ("COMPOSE_PROJECT_NAME=other", "COMPOSE_PROJECT_NAME is other"),
        ("COMPOSE_FILE=a.yaml:b.yaml", "COMPOSE_FILE chooses other files"),
    ],
)
def test_a_dotenv_that_steers_compose_elsewhere(tmp_path: Path, dotenv: str, what: str) -> None:
    home = files(tmp_path, compose__yaml="services: {a: {image: 'r.test/a:1'}}", __env=dotenv)
    (problem,) = refused(home)
    assert problem.where == "shop/.env"
    assert what in problem.what


@pytest.mark.parametrize(
    "chosen",
    [
        "compose.yaml:compose.development.yaml",
        "./docker-compose.yml:./docker-compose.development.yml:more.yaml",
        "compose.yaml;compose.development.yaml\nCOMPOSE_PATH_SEPARATOR=;",
    ],
)
def test_a_dotenv_of_development_reaches_no_other_environment(tmp_path: Path, chosen: str) -> None:
    dotenv = f"COMPOSE_FILE={chosen}\nTAG=mine\nCOMPOSE_PROJECT_NAME=other\n"
    base = "services: {a: {image: 'r.test/a:${TAG:-1}'}}"
    home = files(tmp_path, compose__yaml=base, __env=dotenv)
    stack = load(home)
    assert ".env" not in stack.tree.sources.files
    assert all(part.values.get("TAG") is None for part, _ in stack.tree.all_parts())


@pytest.mark.parametrize("name", ["COMPOSE_FILE", "COMPOSE_PROFILES", "DOCKER_HOST"])
def test_a_variable_that_steers_compose(tmp_path: Path, name: str) -> None:
    home = files(tmp_path, compose__yaml="services: {a: {image: 'r.test/a:1'}}")
    (problem,) = refused(home, **{name: "x"})
    assert problem.where == f"maestro_stack_variables.shop.{name}"
    load(home, DOCKER_GID="5", DOCKER_REGISTRY="r")


@pytest.mark.parametrize(
    ("there", "read"),
    [
        (["compose.yml"], ["compose.yml"]),
        (["docker-compose.yml"], ["docker-compose.yml"]),
        (["docker-compose.yaml"], ["docker-compose.yaml"]),
        (["docker-compose.yml", "compose.yaml"], ["compose.yaml"]),
        (["compose.yml", "compose.staging.yml"], ["compose.yml", "compose.staging.yml"]),
        (
            ["docker-compose.yml", "docker-compose.staging.yml", "docker-compose.override.yml"],
            ["docker-compose.yml", "docker-compose.staging.yml"],
        ),
        (
            ["docker-compose.yml", "compose.staging.yaml"],
            ["docker-compose.yml", "compose.staging.yaml"],
        ),
    ],
)
def test_compose_s_other_names_for_a_file(
    tmp_path: Path, there: list[str], read: list[str]
) -> None:
    for name in there:
        files(tmp_path, **{name.replace(".", "__"): "services: {a: {image: 'r.test/a:1'}}"})
    assert load(tmp_path).compose_files == read
    assert stack.known(tmp_path) == ["shop"]


@pytest.mark.parametrize(
    ("services", "missing"),
    [
        ("web: {image: 'a:1'}", False),
        ("web: {image: 'a:1', configs: [gone]}", True),
        ("web: {image: 'a:1', configs: [{source: gone, target: /x}]}", True),
        ("web: {image: 'a:1', extends: {file: other.yaml, service: base}}", True),
    ],
)
def test_a_missing_file_of_a_config_counts_where_a_service_has_it(
    tmp_path: Path, services: str, missing: bool
) -> None:
    home = tmp_path / "shop"
    home.mkdir()
    (home / "other.yaml").write_text("services: {base: {image: 'a:1', configs: [gone]}}")
    (home / "compose.yaml").write_text(
        f"services: {{{services}}}\nconfigs: {{gone: {{file: ./no/such.conf}}}}\n"
    )
    if missing:
        with pytest.raises(MaestroError, match=r"configs\.gone\.file: .*cannot be read"):
            stack.load(tmp_path, "shop", "staging", {}, version="v1")
    else:
        assert "no/such.conf" not in stack.load(tmp_path, "shop", "staging", {}, version="v1").files

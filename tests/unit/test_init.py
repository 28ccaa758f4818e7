"""`maestro init`: the files of one's own repository."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
import yaml

from maestro.cli import init, main, setup
from maestro.errors import MaestroError
from maestro.play import guarded
from maestro.stack import exceptions, policy

COMPOSE = "services: {web: {image: 'shop:1'}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "My Shop"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()]


@pytest.mark.parametrize("name", init.BASE_FILES)
def test_a_compose_file_at_the_root_stays_there(here: Path, name: str, capsys: Any) -> None:
    (here / name).write_text(COMPOSE)
    assert main.main(["init", "--ci", "github"]) == setup.SAME
    assert "stack my-shop" in capsys.readouterr().out
    assert (here / "stacks/my-shop" / name).read_text() == COMPOSE
    made = [path for path in files(here) if path.name != name]
    assert len(made) <= 10
    assert all(len(path.read_text().splitlines()) <= 120 for path in made if path.is_file())
    known = yaml.safe_load((here / "inventories/group_vars/all.yml").read_text())
    assert (known["maestro_stack"], known["maestro_stacks_dir"]) == ("my-shop", "stacks")
    for path in made:
        if path.suffix in (".yml", ".yaml"):
            yaml.safe_load(path.read_text())


def test_its_settings_let_plays_run(here: Path) -> None:
    (here / "compose.yaml").write_text(COMPOSE)
    init.write(here)
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(here / "ansible.cfg")
    enabled = settings["defaults"]["callbacks_enabled"]
    assert enabled.split(",") == list(guarded.CALLBACKS)


def test_nothing_is_overwritten_and_a_second_run_writes_nothing(here: Path) -> None:
    (here / "compose.yaml").write_text(COMPOSE)
    (here / "deploy.yml").write_text("mine\n")
    assert "  kept     deploy.yml" in init.write(here)
    assert (here / "deploy.yml").read_text() == "mine\n"
    before = {path: path.read_bytes() for path in files(here) if path.is_file()}
    assert not any("written" in line for line in init.write(here))
    assert {path: path.read_bytes() for path in files(here) if path.is_file()} == before


def test_what_another_version_would_write_is_said(here: Path, capsys: Any) -> None:
    (here / "compose.yaml").write_text(COMPOSE)
    assert main.main(["init"]) == setup.SAME
    capsys.readouterr()
    assert main.main(["init", "--check"]) == setup.SAME
    assert capsys.readouterr().out == ""
    (here / ".gitignore").unlink()
    settings = here / "ansible.cfg"
    settings.write_text(settings.read_text().replace("forks = 30\n", "forks = 50\n"))
    assert main.main(["init", "--check"]) == setup.OTHERWISE
    said = capsys.readouterr().out.splitlines()
    assert said == ["ansible.cfg: + forks = 30", ".gitignore: it is not there"]
    assert not (here / ".gitignore").exists()


@pytest.mark.parametrize(
    ("name", "text", "stack"),
    [
        ("compose.yaml", "name: Web_1\n", "web_1"),
        ("compose.yaml", "name: ${X}\n", "my-shop"),
        ("docker/b/compose.yml", COMPOSE, "b"),
        ("api/docker-compose.yml", COMPOSE, "api"),
    ],
)
def test_the_name_of_the_stack(here: Path, name: str, text: str, stack: str) -> None:
    (here / name).parent.mkdir(parents=True, exist_ok=True)
    (here / name).write_text(text)
    found = init.find(here)
    assert found.stack == stack
    init.write(here)
    assert (here / found.directory / stack / Path(name).name).is_file()


def test_without_a_compose_file_nothing_is_written(here: Path, capsys: Any) -> None:
    assert main.main(["init"]) == setup.ERROR
    assert "there is no Compose file" in capsys.readouterr().err
    assert files(here) == []
    (here / "compose.yaml").write_text("{")
    with pytest.raises(MaestroError, match="cannot be read as YAML"):
        init.write(here)


def test_the_former_names_of_programs_say_the_new_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("sys.argv", ["maestro-secrets", "--help"])
    with pytest.raises(SystemExit):
        main.former_secrets()
    said = capsys.readouterr()
    assert "maestro-secrets is now: maestro secrets" in said.err
    assert said.out.startswith("usage: maestro secrets")


def test_staging_may_run_what_has_no_version_yet_and_production_may_not(
    here: Path, capsys: Any
) -> None:
    (here / "compose.yaml").write_text(
        "services:\n"
        "  proxy: {image: nginx}\n"
        "  db: {image: 'postgres:latest'}\n"
        "  cache: {image: 'redis:7-alpine'}\n"
        "  web: {image: web, build: .}\n"
        "  pinned: {image: 'x@sha256:" + "0" * 64 + "'}\n"
        "  given: {image: 'y:${TAG}'}\n"
    )
    assert main.main(["init"]) == setup.SAME
    assert "nginx (service proxy) without a version" in capsys.readouterr().out
    variables = here / "inventories/group_vars"
    allowed = yaml.safe_load((variables / "staging.yml").read_text())["deploy_allow"]
    assert [(item["rule"], item["service"]) for item in allowed] == [
        ("moving-tag", "db"),
        ("moving-tag", "proxy"),
    ]
    assert exceptions.checked(allowed, policy.rules()) == allowed
    assert "deploy_allow" not in (variables / "production.yml").read_text()
    assert main.main(["init", "--check"]) == setup.SAME

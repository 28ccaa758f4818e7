"""The database comes to the version's state, once, from any older one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from app.config import Settings
from app.core import database
from app.core.database import DatabaseError, alembic_config, init_database_with_defaults


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What SQLite answers."""
    with sqlite3.connect(path) as connection:
        return connection.execute(query).fetchall()


def test_from_nothing_and_again(given: Callable[..., Settings], tmp_path: Path) -> None:
    """The second start changes nothing."""
    settings = given()
    init_database_with_defaults(settings)
    path = tmp_path / "data/app.db"
    before = rows(path, "SELECT id, key, value FROM app_setting ORDER BY id")
    assert {row[1] for row in before} == set(database.DEFAULTS)
    init_database_with_defaults(settings)
    assert rows(path, "SELECT id, key, value FROM app_setting ORDER BY id") == before
    assert rows(path, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_from_an_older_version(given: Callable[..., Settings], tmp_path: Path) -> None:
    """One step behind."""
    settings = given()
    (tmp_path / "data").mkdir()
    command.upgrade(alembic_config(settings), "0001")
    init_database_with_defaults(settings)
    assert rows(tmp_path / "data/app.db", "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_newer_database_is_used_as_it_is(given: Callable[..., Settings], tmp_path: Path) -> None:
    """After a rollback of the program."""
    settings = given()
    init_database_with_defaults(settings)
    with sqlite3.connect(tmp_path / "data/app.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    init_database_with_defaults(settings)
    assert rows(tmp_path / "data/app.db", "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3cret", "must look like sqlite:///PATH"),
        ("sqlit:///s3cret", "must look like sqlite:///PATH"),
        ("postgresql://u:s3cret@h:port/n", "must look like sqlite:///PATH"),
        ("mysql+pymysql://u:s3cret@h/n", "its driver pymysql is not installed"),
    ],
)
def test_an_address_that_is_no_use_is_named(
    given: Callable[..., Settings], url: str, words: str
) -> None:
    """And not shown: there may be a password in it."""
    with pytest.raises(DatabaseError, match=words) as told:
        init_database_with_defaults(given(DATABASE_URL=url))
    assert "DATABASE_URL" in str(told.value) and "s3cret" not in str(told.value)


def test_a_broken_migration_names_its_revision(
    given: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was before stays."""
    home = tmp_path / "home"
    shutil.copytree(database.HOME / "migrations", home / "migrations")
    shutil.copy(database.HOME / "alembic.ini", home)
    (home / "migrations/versions/0003_broken.py").write_text(
        'revision = "0003"\ndown_revision = "0002"\nfrom alembic import op\n'
        'def upgrade():\n    op.execute("ALTER TABLE nothing ADD COLUMN x")\n'
    )
    monkeypatch.setattr(database, "HOME", home)
    with pytest.raises(DatabaseError, match="0003"):
        init_database_with_defaults(given())
    assert rows(tmp_path / "data/app.db", "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_directory_that_cannot_be_written(given: Callable[..., Settings], tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="file/data"):
        init_database_with_defaults(given(DATA_DIR=tmp_path / "file/data"))

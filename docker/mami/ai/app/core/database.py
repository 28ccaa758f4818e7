"""The database: SQLite in the data directory, or Postgres."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlmodel import Session, create_engine, select

from app.config import Settings, settings
from app.core.logger import get_logger
from app.models import AppSetting

log = get_logger(__name__)

HOME = Path(__file__).parents[2]  # where alembic.ini is
LOCK = 0x6D616D69  # of Postgres: one process migrates
DEFAULTS = {
    "system_prompt": "You are Mami, a friendly assistant. Answer briefly and clearly.",
    "chain": "chat",
}


class DatabaseError(Exception):
    """The database cannot be prepared; the text says where and why."""


def address(given: Settings) -> URL:
    """The settings' DATABASE_URL. Raises `DatabaseError`, without the value, where it is no use."""
    try:
        url = make_url(given.DATABASE_URL)
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise DatabaseError(
            "DATABASE_URL: must look like sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"DATABASE_URL: its driver {error.name} is not installed: add it to requirements.txt, "
            "or use sqlite:///PATH"
        ) from None
    return url


def engine_of(given: Settings) -> Engine:
    """The engine of the settings' DATABASE_URL. Raises `DatabaseError` as `address` does."""
    url = address(given)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 10})

    @event.listens_for(engine, "connect")
    def prepare(connection, _record) -> None:  # type: ignore[no-untyped-def]
        # Readers and a writer at once, also of two containers while one replaces the other.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def alembic_config(given: Settings) -> Config:
    """Alembic's settings, for the database of ours."""
    config = Config(str(HOME / "alembic.ini"))
    config.attributes["settings"] = given
    return config


def init_database_with_defaults(given: Settings = settings, engine: Engine | None = None) -> None:
    """Create what is missing: directory, tables, default rows. Safe to run again, and at once.

    Raises `DatabaseError` where that fails.
    """
    log.info("init_database_with_defaults: preparing the database")
    make_directory(given.DATA_DIR)
    url = address(given)
    if url.get_backend_name() == "sqlite" and url.database:
        make_directory(Path(url.database).parent)
    mine = engine or engine_of(given)
    try:
        with _alone(given, mine):
            _migrate(given, mine)
            with Session(mine) as session:
                present = set(session.exec(select(AppSetting.key)).all())
                session.add_all(
                    AppSetting(key=k, value=v) for k, v in DEFAULTS.items() if k not in present
                )
                session.commit()
    finally:
        if engine is None:
            mine.dispose()


def make_directory(path: Path) -> None:
    """Create a directory, and see that files can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"cannot write to the directory {path.absolute()}: {error.strerror}. It must belong to the uid 1000"
        ) from None


def _migrate(given: Settings, engine: Engine) -> None:
    config = alembic_config(given)
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_heads()
    known = {revision.revision for revision in script.walk_revisions()}
    if unknown := set(current) - known:
        # After a rollback: what a newer version added stays, and this version does not use it.
        log.warning(
            "the database is newer than this version: it has the revision %s",
            ", ".join(sorted(unknown)),
        )
        return
    if set(current) == set(script.get_heads()):
        return
    try:
        command.upgrade(config, "head")
    except Exception as error:
        with engine.connect() as connection:
            reached = MigrationContext.configure(connection).get_current_heads()
        path = list(script.iterate_revisions("head", reached or "base"))
        failed = path[-1].revision if path else "head"
        log.exception("the migration to the revision %s failed", failed)
        raise DatabaseError(
            f"the migration to the revision {failed} failed: {type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def _alone(given: Settings, engine: Engine) -> Iterator[None]:
    """Hold the lock of whoever prepares this database."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
        return
    with (given.DATA_DIR / ".migration.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

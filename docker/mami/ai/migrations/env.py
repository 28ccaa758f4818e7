"""How Alembic reaches the database of the settings."""

from alembic import context
from app import models  # noqa: F401 - the tables
from app.config import settings
from app.core.database import engine_of
from sqlmodel import SQLModel

given = context.config.attributes.get("settings", settings)
engine = engine_of(given)
try:
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
finally:
    engine.dispose()

"""The tables."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import Field, SQLModel


def now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


class AppSetting(SQLModel, table=True):
    """A setting that can be changed while Mami runs."""

    __tablename__ = "app_setting"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    value: str


class ChatMessage(SQLModel, table=True):
    """What one side said in a conversation."""

    __tablename__ = "chat_message"

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(index=True)
    role: str
    content: str
    model: str = ""
    created: datetime = Field(default_factory=now)


class ImageJob(SQLModel, table=True):
    """An image and what is to be done with it. ``status``: queued, done or failed."""

    __tablename__ = "image_job"

    id: str = Field(primary_key=True)
    name: str
    operation: str
    status: str = "queued"
    reason: str = ""
    content_type: str = ""
    created: datetime = Field(default_factory=now, index=True)
    finished: datetime | None = None

"""Image jobs: a row in the database, and files in DATA_DIR/images/ID/."""

from __future__ import annotations

import shutil
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.models import ImageJob, now

SOURCE, RESULT = "source", "result.png"
SHOWN = 24


class Jobs:
    """The jobs and their files."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine, self.directory = engine, directory / "images"

    def file(self, job: str, name: str) -> Path:
        """The path of a job's file; ``job`` is the id of a row."""
        return self.directory / job / name

    def add(self, job: ImageJob, data: bytes) -> None:
        """Store a new job with its image; OSError where there is no room."""
        home = self.directory / job.id
        home.mkdir(parents=True)
        try:
            _write(home / SOURCE, data)
            with Session(self.engine) as session:
                session.add(job)
                session.commit()
                session.refresh(job)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise

    def remove(self, job: str) -> None:
        """Remove a job that was not queued."""
        with Session(self.engine) as session:
            if row := session.get(ImageJob, job):
                session.delete(row)
                session.commit()
        shutil.rmtree(self.directory / job, ignore_errors=True)

    def get(self, job: str) -> ImageJob | None:
        """A job, or None."""
        with Session(self.engine) as session:
            return session.get(ImageJob, job)

    def latest(self) -> list[ImageJob]:
        """The newest jobs, newest first."""
        with Session(self.engine) as session:
            return list(
                session.exec(
                    select(ImageJob).order_by(col(ImageJob.created).desc()).limit(SHOWN)
                ).all()
            )

    def finish(self, job: str, *, result: bytes | None = None, reason: str = "") -> None:
        """Store the result of a job, or why there is none."""
        if result is not None:
            _write(self.file(job, RESULT), result)
        with Session(self.engine) as session:
            row = session.get(ImageJob, job)
            if row is None or row.status == "done":
                return
            row.status, row.reason, row.finished = (
                ("failed" if result is None else "done"),
                reason,
                now(),
            )
            session.add(row)
            session.commit()


def shown(job: ImageJob) -> dict[str, Any]:
    """A job as the interface shows it."""
    return {
        "id": job.id,
        "name": job.name,
        "operation": job.operation,
        "status": job.status,
        "reason": job.reason,
        "created": job.created.replace(tzinfo=UTC).isoformat(),
        "source": f"/api/images/{job.id}/source",
        "result": f"/api/images/{job.id}/result" if job.status == "done" else None,
    }


def _write(path: Path, data: bytes) -> None:
    # Never half a file under its name.
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)

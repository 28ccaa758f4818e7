"""``python -m app``: the API server where NODE_MODE is CORE, the worker where it is WORKER."""

from __future__ import annotations

import sys

import uvicorn

from app import VERSION
from app.config import settings
from app.core import reach
from app.core.database import DatabaseError, init_database_with_defaults
from app.core.logger import configure, get_logger
from app.image import worker_local
from app.main import create_app


def prepare() -> None:
    """Bring the database to this version's state; ends with the reason where that fails."""
    try:
        init_database_with_defaults()
    except DatabaseError as error:
        raise SystemExit(f"Mami cannot start: {error}") from None


def main(arguments: list[str]) -> None:
    """Run what NODE_MODE says, or ``migrate`` alone."""
    if arguments not in ([], ["migrate"]):
        raise SystemExit("usage: python -m app [migrate]")
    if settings.NODE_MODE == "WORKER":
        worker_local.main([])
        return
    configure(settings, "mami-ai")
    log = get_logger("app")
    if arguments:
        try:
            reach.check(settings)
        except reach.Unreachable as error:
            raise SystemExit(f"the migration does not begin:\n{error}") from None
    prepare()
    if arguments:
        log.info("the database is ready for version %s", VERSION)
        return
    log.info(
        "mami-ai %s answers at port %d", VERSION, settings.PORT, extra={"mode": settings.NODE_MODE}
    )
    uvicorn.run(
        create_app(settings),
        host=settings.HOST,
        port=settings.PORT,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

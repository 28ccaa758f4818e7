"""The API server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app import VERSION
from app.api import chat, health, images
from app.api.middleware import Requests
from app.config import Settings
from app.core import metrics
from app.core.celery_app import celery_of
from app.core.database import engine_of
from app.core.health import Health
from app.core.memory import WorkingMemory
from app.image.store import Jobs
from app.llm.chain import Chain


def create_app(settings: Settings) -> FastAPI:
    """The application of the settings, whose database is prepared."""

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.memory.close()
        app.state.engine.dispose()

    app = FastAPI(
        title="Mami AI",
        version=VERSION,
        lifespan=life,
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
    )
    state = app.state
    state.settings = settings
    state.engine = engine_of(settings)
    state.memory = WorkingMemory(settings)
    state.chain = Chain(settings)
    state.celery = celery_of(settings)
    state.jobs = Jobs(state.engine, settings.DATA_DIR)
    state.health = Health(settings, state.engine, state.memory)
    metrics.INFO.labels(VERSION, settings.NODE_MODE).set(1)
    # At /health for the Engine, at /api/health for browsers: the edge hands on /api alone.
    app.include_router(health.router)
    app.include_router(health.metrics_router)
    for router in (health.router, chat.router, images.router, images.internal_router):
        app.include_router(router, prefix="/api")
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.get_cors_origins_list(),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["X-Request-ID"],
    )
    app.add_middleware(Requests, max_bytes=settings.UPLOAD_MAX_BYTES)
    return app

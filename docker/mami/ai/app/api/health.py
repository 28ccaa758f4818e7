"""Health and metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app import VERSION
from app.core.health import ERROR, NEEDED, OK

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> JSONResponse:
    """Everything that works and does not. 503 only without the database: nothing works then."""
    services = request.app.state
    parts = await services.health.parts()
    broken = [name for name, state in parts.items() if state == ERROR]
    body: dict[str, Any] = {
        "status": "healthy" if not broken else "degraded",
        "service": "mami-ai",
        "version": VERSION,
        "mode": services.settings.NODE_MODE,
        **parts,
        "keys": {
            "groq": len(services.chain.rings["groq"].keys),
            "gemini": len(services.chain.rings["gemini"].keys),
        },
    }
    if parts["database"] != OK:
        return JSONResponse({**body, "status": "unhealthy"}, 503)
    return JSONResponse(body)


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The program runs."""
    return {"status": "alive"}


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Whether requests can be answered: 503 without the database or Redis."""
    parts = await request.app.state.health.parts()
    states = {name: parts[name] for name in NEEDED}
    good = all(state == OK for state in states.values())
    return JSONResponse(
        {"status": "ready" if good else "not ready", **states}, 200 if good else 503
    )


metrics_router = APIRouter()


@metrics_router.get("/metrics")
def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

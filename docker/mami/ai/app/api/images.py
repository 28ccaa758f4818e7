"""Images: taken from users, given to the worker, taken back from it."""

from __future__ import annotations

import errno
import hmac
import uuid
from typing import Annotated, Any, Literal

import kombu.exceptions
import redis.exceptions
from fastapi import (
    APIRouter,
    Depends,
    File,
    Form,
    Header,
    HTTPException,
    Request,
    Response,
    UploadFile,
)
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from app.core import metrics
from app.core.celery_app import TASK
from app.core.logger import get_logger, request_id
from app.image.processing import ImageError, opened
from app.image.store import RESULT, SOURCE, Jobs, shown
from app.models import ImageJob

log = get_logger(__name__)
router = APIRouter(prefix="/images")

Operation = Literal["enhance", "sketch", "palette"]
BAD_NAME = '\\/\0\r\n"'
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def jobs_of(request: Request) -> Jobs:
    """The jobs of the application."""
    jobs: Jobs = request.app.state.jobs
    return jobs


AllJobs = Annotated[Jobs, Depends(jobs_of)]


def one(job: str, jobs: AllJobs) -> ImageJob:
    """The job of the path; 404 where there is none."""
    if not (found := jobs.get(job)):
        raise HTTPException(404, "there is no such image")
    return found


OneJob = Annotated[ImageJob, Depends(one)]


@router.post("", status_code=202)
async def upload(
    request: Request,
    jobs: AllJobs,
    file: Annotated[UploadFile, File()],
    operation: Annotated[Operation, Form()] = "enhance",
) -> dict[str, Any]:
    """Take an image and queue what is to be done with it."""
    data = await file.read()
    limit = request.app.state.settings.UPLOAD_MAX_BYTES
    if len(data) > limit:
        raise HTTPException(413, f"at most {limit} bytes are taken")
    try:
        image = await run_in_threadpool(opened, data)
    except ImageError as error:
        raise HTTPException(422, str(error)) from None
    name = "".join(c for c in (file.filename or "image") if c not in BAD_NAME)[:120]
    kind = f"image/{(image.format or 'png').lower()}"
    job = ImageJob(id=uuid.uuid4().hex, name=name, operation=operation, content_type=kind)
    await run_in_threadpool(_add, jobs, job, data)
    try:
        await run_in_threadpool(
            request.app.state.celery.send_task,
            TASK,
            [job.id, operation, request_id.get()],
            retry=False,
        )
    except (kombu.exceptions.OperationalError, redis.exceptions.RedisError, OSError):
        await run_in_threadpool(jobs.remove, job.id)
        raise HTTPException(503, "the queue (Redis) does not answer: try again later") from None
    metrics.IMAGES.labels("queued").inc()
    return shown(job)


def _add(jobs: Jobs, job: ImageJob, data: bytes) -> None:
    try:
        jobs.add(job, data)
    except OSError as error:
        log.error("the image cannot be stored in %s: %s", jobs.directory, error.strerror)  # noqa: TRY400
        raise _no_room(error) from None


def _no_room(error: OSError) -> HTTPException:
    if error.errno in NO_ROOM:
        return HTTPException(507, "there is no room left for images")
    return HTTPException(500, "the image cannot be stored; Mami's log has the reason")


@router.get("")
def latest(jobs: AllJobs) -> list[dict[str, Any]]:
    """The newest images, newest first."""
    return [shown(job) for job in jobs.latest()]


@router.get("/{job}")
def get(found: OneJob) -> dict[str, Any]:
    """One image."""
    return shown(found)


@router.get("/{job}/source")
def source(found: OneJob, jobs: AllJobs) -> FileResponse:
    """The image as it was uploaded."""
    return _file(jobs, found, SOURCE, found.content_type)


@router.get("/{job}/result")
def result(found: OneJob, jobs: AllJobs) -> FileResponse:
    """The image as the worker made it."""
    if found.status != "done":
        raise HTTPException(409, f"the image is {found.status}")
    return _file(jobs, found, RESULT, "image/png")


def _file(jobs: Jobs, job: ImageJob, name: str, kind: str) -> FileResponse:
    path = jobs.file(job.id, name)
    if not path.is_file():
        raise HTTPException(404, "the file is gone")
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type=kind, headers=headers)


def internal(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    """Let the worker in: 401 without a token, 403 with another one."""
    expected = request.app.state.settings.INTERNAL_UPLOAD_TOKEN.get_secret_value()
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise HTTPException(403, "this is not the token")


internal_router = APIRouter(prefix="/internal/images/{job}", dependencies=[Depends(internal)])


class Reason(BaseModel):
    """Why a job failed."""

    reason: str = Field(max_length=500)


@internal_router.get("/source")
def internal_source(found: OneJob, jobs: AllJobs) -> FileResponse:
    """The image for the worker."""
    return _file(jobs, found, SOURCE, found.content_type)


@internal_router.post("/result", status_code=201)
async def internal_result(found: OneJob, jobs: AllJobs, request: Request) -> dict[str, str]:
    """Take the worker's result."""
    data = await request.body()
    try:
        await run_in_threadpool(opened, data)
        await run_in_threadpool(jobs.finish, found.id, result=data)
    except ImageError as error:
        raise HTTPException(422, str(error)) from None
    except OSError as error:
        raise _no_room(error) from None
    metrics.IMAGES.labels("done").inc()
    client = request.client.host if request.client else ""
    log.info(
        "the worker at %s uploaded the result of the image %s",
        client,
        found.id,
        extra={"job": found.id},
    )
    return {"status": "done"}


@internal_router.post("/failure", status_code=204)
def internal_failure(found: OneJob, jobs: AllJobs, body: Reason) -> Response:
    """Note why the worker has no result."""
    jobs.finish(found.id, reason=body.reason)
    metrics.IMAGES.labels("failed").inc()
    return Response(status_code=204)

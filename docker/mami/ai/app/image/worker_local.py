"""The worker: takes image jobs from the queue, and sends results back to the API.

``python -m app.image.worker_local`` runs it; ``--check`` tells whether it works. It keeps nothing:
the API hands it the image and takes the result, both with INTERNAL_UPLOAD_TOKEN, so that it may
run on another host.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import httpx
from celery import Task, signals

from app import VERSION
from app.config import settings
from app.core.celery_app import QUEUE, TASK, celery_app
from app.core.logger import configure, get_logger, request_id
from app.image.processing import ImageError, process

log = get_logger("app.image.worker_local")  # run as a program, its name would be __main__

STALE = 30  # seconds without a sign of the consumer; it gives one every two
TRIES, PAUSE = 8, 2  # of a job whose API is away: after 2, 4, 8 ... 60 seconds
FATAL = (401, 403, 404, 409, 413)


class JobError(Exception):
    """A job cannot be done and trying again would not help."""


@celery_app.task(name=TASK, bind=True, max_retries=TRIES)
def process_image(self: Task, job: str, operation: str, request: str = "") -> None:
    """Do one job: fetch, process, upload."""
    request_id.set(request)
    started = time.monotonic()
    token = settings.INTERNAL_UPLOAD_TOKEN.get_secret_value()
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": request or job}
    base = f"{settings.API_URL}/api/internal/images/{job}"
    try:
        with httpx.Client(headers=headers, timeout=30) as client:
            source = _ok(client.get(f"{base}/source")).content
            try:
                result = process(source, operation)
            except ImageError as error:
                _ok(client.post(f"{base}/failure", json={"reason": str(error)}))
                log.warning("the image job %s failed: %s", job, error, extra={"job": job})
                return
            _ok(
                client.post(f"{base}/result", content=result, headers={"Content-Type": "image/png"})
            )
    except JobError as error:
        log.error("the image job %s is given up: %s", job, error, extra={"job": job})  # noqa: TRY400
    except httpx.HTTPError as error:
        pause = min(60, PAUSE * 2**self.request.retries)
        log.warning(
            "the API does not take the image job %s (%s); again in %d s",
            job,
            _told(error),
            pause,
            extra={"job": job},
        )
        raise self.retry(countdown=pause, exc=RuntimeError(_told(error))) from None
    else:
        seconds = round(time.monotonic() - started, 3)
        log.info(
            "image job %s done", job, extra={"job": job, "operation": operation, "seconds": seconds}
        )


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code in FATAL:
        why = (
            "INTERNAL_UPLOAD_TOKEN is not the API's"
            if answer.status_code in (401, 403)
            else "its API refuses it"
        )
        raise JobError(f"{why} (HTTP {answer.status_code})")
    return answer.raise_for_status()


def _told(error: httpx.HTTPError) -> str:
    return (
        f"HTTP {error.response.status_code}"
        if isinstance(error, httpx.HTTPStatusError)
        else type(error).__name__
    )


def beat(**_: Any) -> None:
    """Leave a sign that the consumer of the queue is alive."""
    settings.HEARTBEAT_FILE.touch()


def check() -> None:
    """End with 1 and the reason when the worker does not take jobs."""
    try:
        age = time.time() - settings.HEARTBEAT_FILE.stat().st_mtime
    except FileNotFoundError:
        raise SystemExit("the worker has not connected to Redis yet") from None
    if age > STALE:
        raise SystemExit(f"the worker has taken nothing from Redis for {age:.0f} s")


def main(arguments: list[str]) -> None:
    """Run the worker, or check it."""
    if arguments == ["--check"]:
        return check()
    if arguments:
        raise SystemExit("usage: python -m app.image.worker_local [--check]")
    if settings.NODE_MODE != "WORKER":
        raise SystemExit("NODE_MODE is CORE: set NODE_MODE=WORKER to run the worker")
    if not settings.INTERNAL_UPLOAD_TOKEN.get_secret_value():
        raise SystemExit("INTERNAL_UPLOAD_TOKEN is not set: the API would take no result")
    configure(settings, "mami-worker")
    settings.HEARTBEAT_FILE.unlink(missing_ok=True)
    signals.heartbeat_sent.connect(beat)
    signals.setup_logging.connect(_keep_logging)
    log.info("worker %s takes jobs for %s", VERSION, settings.API_URL)
    celery_app.worker_main(
        [
            *("--quiet", "worker", "--pool=threads", f"--queues={QUEUE}"),
            *(f"--concurrency={settings.WORKER_CONCURRENCY}", f"--loglevel={settings.LOG_LEVEL}"),
            *("--without-gossip", "--without-mingle"),
        ]
    )
    return None


def _keep_logging(**_: Any) -> None:
    # Celery leaves the log alone where somebody answers this signal.
    return None


if __name__ == "__main__":
    main(sys.argv[1:])

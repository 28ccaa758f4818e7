"""The task queue: Celery on Redis database 0. It is sent to here and taken from by the worker."""

from __future__ import annotations

import ssl

from celery import Celery

from app.config import Settings, settings

QUEUE = "images"
TASK = "image.process"


def celery_of(given: Settings) -> Celery:
    """The Celery application of the settings."""
    url = given.get_redis_url(db=0)
    made = Celery("mami", broker=url)
    made.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # A task whose worker dies is taken again.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        # Whoever sends a task is told within seconds that Redis is away.
        broker_transport_options={
            "visibility_timeout": 600,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "max_retries": 1,
        },
        task_publish_retry=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_log_color=False,
        timezone="UTC",
    )
    if url.startswith("rediss://"):
        made.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return made


celery_app = celery_of(settings)

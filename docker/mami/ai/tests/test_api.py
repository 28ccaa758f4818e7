"""The HTTP interface, with a real database and, where Redis matters, a real Redis."""

from __future__ import annotations

import io
import json
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app.config import Settings
from app.core.database import init_database_with_defaults
from app.core.logger import configure
from app.main import create_app
from celery.contrib.testing.worker import start_worker
from conftest import Server
from fastapi.testclient import TestClient
from PIL import Image

TOKEN = "token-of-the-tests"
Client = Callable[..., TestClient]


def picture(size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    """An image with two colours."""
    out = io.BytesIO()
    image = Image.new("RGB", size, "navy")
    image.paste("orange", (0, 0, size[0] // 2, size[1]))
    image.save(out, form)
    return out.getvalue()


@pytest.fixture
def client(given: Callable[..., Settings]) -> Iterator[Client]:
    """Makes clients of applications."""
    opened = []

    def make(**values: Any) -> TestClient:
        settings = given(INTERNAL_UPLOAD_TOKEN=TOKEN, **values)
        init_database_with_defaults(settings)
        opened.append(TestClient(create_app(settings), raise_server_exceptions=False).__enter__())
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__(None, None, None)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis of the test's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = shutil.which("redis-server")
    assert server, "the tests need redis-server"
    arguments = ["--port", str(port), "--save", "", "--dir", str(tmp_path), "--loglevel", "warning"]
    with subprocess.Popen([server, *arguments]) as process:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}", process
        process.kill()


def test_health_tells_what_works(
    client: Client, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """Redis goes: the page says so, readiness is 503, and the process is alive."""
    one = client(REDIS_URL=redis[0])
    body = one.get("/health").json()
    assert (body["status"], body["redis"], body["database"], body["mode"]) == (
        "healthy",
        "ok",
        "ok",
        "CORE",
    )
    assert body["neo4j"] == body["qdrant"] == "disabled"
    assert one.get("/api/health/ready").status_code == 200
    redis[1].kill()
    redis[1].wait()
    time.sleep(1.1)
    assert one.get("/health").status_code == 200
    assert one.get("/health").json()["redis"] == "error"
    assert one.get("/health/ready").status_code == 503
    assert one.get("/health/live").status_code == 200


def test_a_log_store_that_hangs_delays_no_report(
    client: Client, server: Callable[[], Server]
) -> None:
    store = server()
    one = client(ELASTICSEARCH_URL=store.url)
    assert one.get("/health").json()["elasticsearch"] == "ok"
    store.delay = 30
    deadline = time.monotonic() + 20
    states, longest = [], 0.0
    while states[-1:] != ["error"] and time.monotonic() < deadline:
        time.sleep(0.3)
        began = time.monotonic()
        states.append(one.get("/health").json()["elasticsearch"])
        longest = max(longest, time.monotonic() - began)
    assert longest < 1, "it takes 2.5 s to find out"
    assert (states[0], states[-1]) == ("ok", "error")


def test_chat_remembers_in_database_1(
    client: Client, server: Callable[[], Server], redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """The second question carries the first; database 0 has nothing of it."""
    ollama = server()
    ollama.body = {"message": {"content": "Yes"}}
    one = client(REDIS_URL=redis[0], OLLAMA_URL=ollama.url)
    first = one.post("/api/chat", json={"message": "Do you hear me?"}).json()
    assert (first["answer"], first["provider"]) == ("Yes", "ollama")
    assert [f["model"].split(":")[0] for f in first["failures"]] == ["groq", "gemini"]
    one.post("/api/chat", json={"message": "And now?", "conversation": first["conversation"]})
    said = [turn["content"] for turn in json.loads(ollama.asked[1][2])["messages"]]
    assert said[1:] == ["Do you hear me?", "Yes", "And now?"]
    port = redis[0].rsplit(":", 1)[1]
    count = lambda db: subprocess.check_output(
        ["redis-cli", "-p", port, "-n", db, "dbsize"], text=True
    ).strip()  # noqa: E731
    assert (count("0"), count("1")) == ("0", "1")
    assert len(one.get(f"/api/chat/{first['conversation']}").json()) == 4


def test_chat_without_redis_remembers_from_the_database(
    client: Client, server: Callable[[], Server]
) -> None:
    """A Redis that is away costs no answer."""
    ollama = server()
    ollama.body = {"message": {"content": "Yes"}}
    one = client(OLLAMA_URL=ollama.url)
    first = one.post("/api/chat", json={"message": "One"})
    assert first.status_code == 200
    one.post("/api/chat", json={"message": "Two", "conversation": first.json()["conversation"]})
    assert "One" in ollama.asked[1][2].decode()


def test_chat_without_any_model(client: Client) -> None:
    """503 with all causes."""
    answer = client().post("/api/chat", json={"message": "Hello"})
    assert answer.status_code == 503 and len(answer.json()["failures"]) == 3
    assert client().post("/api/chat", json={"message": ""}).status_code == 422
    assert client().post("/api/chat", json={"message": "x", "chain": "no"}).status_code == 422


@pytest.mark.parametrize("operation", ["enhance", "sketch", "palette"])
def test_an_image_goes_through_queue_and_worker(
    client: Client,
    redis: tuple[str, subprocess.Popen[bytes]],
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real queue on database 0 and a real Celery worker; only HTTP is short-circuited."""
    from app.image import worker_local  # noqa: PLC0415

    one = client(REDIS_URL=redis[0])
    settings = one.app.state.settings  # type: ignore[attr-defined]
    queue = one.app.state.celery  # type: ignore[attr-defined]
    monkeypatch.setattr(worker_local, "settings", settings)

    class Wire:
        """httpx.Client of the worker, to the application of the test."""

        def __init__(self, headers: dict[str, str], timeout: float) -> None:
            del timeout
            self.headers = headers

        def __enter__(self) -> Wire:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

        def get(self, url: str) -> Any:
            return one.get(url.removeprefix(settings.API_URL), headers=self.headers)

        def post(self, url: str, **values: Any) -> Any:
            values["headers"] = {**self.headers, **values.get("headers", {})}
            return one.post(url.removeprefix(settings.API_URL), **values)

    monkeypatch.setattr(worker_local.httpx, "Client", Wire)
    queue.task(name="image.process", bind=True, max_retries=1)(
        worker_local.process_image.run.__func__
    )
    with start_worker(queue, perform_ping_check=False, pool="solo", shutdown_timeout=30):
        sent = one.post(
            "/api/images", files={"file": ("a.png", picture())}, data={"operation": operation}
        )
        assert sent.status_code == 202, sent.text
        for _ in range(100):
            job = one.get(f"/api/images/{sent.json()['id']}").json()
            if job["status"] != "queued":
                break
            time.sleep(0.1)
    assert job["status"] == "done", job
    result = one.get(job["result"])
    assert result.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(result.content)).width == 64
    assert one.get("/api/images").json()[0]["id"] == job["id"]


def test_an_image_that_cannot_be_queued_leaves_nothing(client: Client, tmp_path: Path) -> None:
    """503, soon, and neither row nor file."""
    one = client()
    started = time.monotonic()
    answer = one.post("/api/images", files={"file": ("a.png", picture())})
    assert answer.status_code == 503 and "Redis" in answer.text
    assert time.monotonic() - started < 10
    assert one.get("/api/images").json() == []
    assert not list((tmp_path / "data/images").iterdir())


def test_what_is_no_image_is_refused(client: Client) -> None:
    """With the reason."""
    one = client(UPLOAD_MAX_BYTES=2000)
    assert one.post("/api/images", files={"file": ("a.png", b"no image")}).status_code == 422
    assert one.post("/api/images", files={"file": ("a.png", picture()[:60])}).status_code == 422
    assert (
        one.post("/api/images", files={"file": ("a.bmp", picture(form="BMP")[:1500])}).status_code
        == 422
    )
    large = one.post("/api/images", files={"file": ("a.png", b"x" * 3000)})
    assert large.status_code == 413 and "2000" in large.text
    huge = one.post("/api/images", files={"file": ("a.png", b"x" * 200_000)})
    assert huge.status_code == 413


def test_the_worker_needs_its_token(
    client: Client, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """None: 401. Another one: 403. The right one: 201."""
    one = client(REDIS_URL=redis[0])
    job = one.post("/api/images", files={"file": ("a.png", picture())}).json()["id"]
    path = f"/api/internal/images/{job}/result"
    login = {"Authorization": f"Bearer {TOKEN}"}
    assert one.post(path, content=picture()).status_code == 401
    assert (
        one.post(path, content=picture(), headers={"Authorization": "Bearer no"}).status_code == 403
    )
    assert one.post(path, content=b"no image", headers=login).status_code == 422
    assert one.get(f"/api/images/{job}/result").status_code == 409
    assert one.post(path, content=picture(), headers=login).status_code == 201
    assert one.get(f"/api/images/{job}/result").status_code == 200
    assert (
        one.post(path.replace(job, "0" * 32), content=picture(), headers=login).status_code == 404
    )


def test_cors(client: Client) -> None:
    """Allowed origins only."""
    one = client(CORS_ORIGINS="https://a.example")
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    good = one.options("/api/chat", headers={"Origin": "https://a.example", **ask})
    assert (
        good.status_code == 200
        and good.headers["access-control-allow-origin"] == "https://a.example"
    )
    assert "POST" in good.headers["access-control-allow-methods"]
    bad = one.options("/api/chat", headers={"Origin": "https://b.example", **ask})
    assert "access-control-allow-origin" not in bad.headers
    plain = client().get("/health", headers={"Origin": "http://localhost:5173"})
    assert plain.headers["access-control-allow-origin"] == "http://localhost:5173"


def test_metrics_count_requests_and_errors(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the pattern of their paths; an error counts as one."""
    one = client()

    def value(name: str) -> float:
        lines = one.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    name = 'mami_http_requests_total{method="GET",route="/health/live"'
    before, errors = value(name), value("mami_http_errors_total{")
    for _ in range(10):
        one.get("/health/live")
    assert value(name) == before + 10
    monkeypatch.setattr(one.app.state.jobs, "latest", lambda: 1 / 0)  # type: ignore[attr-defined]
    answer = one.get("/api/images")
    assert (
        answer.status_code == 500
        and "ZeroDivision" not in answer.text
        and answer.headers["x-request-id"]
    )
    assert value("mami_http_errors_total{") == errors + 1
    assert value("mami_http_request_duration_seconds_count{") > 10


def test_a_line_of_the_log(
    client: Client, capsys: pytest.CaptureFixture[str], given: Callable[..., Settings]
) -> None:
    """On stdout, with the request's id and without secrets."""
    configure(given(INTERNAL_UPLOAD_TOKEN=TOKEN))
    try:
        client().get(f"/api/images/{TOKEN}", headers={"X-Request-ID": "id-of-the-test"})
        said = capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        line = next(line for line in lines if line.get("request_id") == "id-of-the-test")
        assert (
            line["service"] == "mami-ai"
            and line["logger"].startswith("app.")
            and line["status"] == 404
        )
        assert TOKEN not in said.out
    finally:
        logging.getLogger("app").handlers.clear()

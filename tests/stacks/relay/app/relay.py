"""Takes requests and jobs, and ends as programs should: what was begun is finished.

    web       answers HTTP/1.1 on port 8000
    worker    takes jobs from Redis, one after the other

On SIGTERM the web service takes no new connection, finishes the requests in flight and exits; the
worker finishes its job and exits. A worker keeps no note of the job in its hands: one that is not
given the time to finish loses it. The version's name says how it misbehaves:

unhealthy-*   the web service's health check fails
crash-*       the web service ends at start
badsmoke-*    the web service is healthy and answers nonsense
sick-HOST     the web service's health check fails on that host and nowhere else
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ["APP_VERSION"]
HOST = Path("/etc/host")
FAULT, _, WHERE = VERSION.partition("-")
if FAULT == "sick":
    # The web service alone is told which host it is on.
    FAULT = "unhealthy" if HOST.exists() and HOST.read_text().strip() == WHERE else ""
INSTANCE = socket.gethostname()
KEY = Path("/run/secrets/relay_key")
SETTINGS = Path("/etc/relay.json")
ALIVE = Path("/tmp/alive")
PORT = 8000
CHUNK = 64 * 1024


def redis(*words, timeout=2):
    """Send one command to Redis and return its answer: text, number, list or None."""
    with socket.create_connection(("redis", 6379), timeout) as connection:
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
        return answer(connection.makefile("rb"))


def answer(stream):
    """One answer in Redis' protocol."""
    line = stream.readline().decode().strip()
    kind, rest = line[:1], line[1:]
    if kind == "-" or not kind:
        raise ConnectionError(rest or "Redis closed the connection")
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return None if rest == "-1" else [answer(stream) for _ in range(int(rest))]
    return rest


class Handler(BaseHTTPRequestHandler):
    """Every answer names the version and the container it comes from."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece, at once.
    wbufsize = CHUNK
    disable_nagle_algorithm = True

    def parse_request(self):
        # From here on the request counts as in flight.
        found = super().parse_request()
        if found:
            self.server.begin()
        return found

    def handle_one_request(self):
        before = self.server.mine()
        try:
            super().handle_one_request()
        finally:
            if self.server.mine() > before:
                self.server.end()
        if self.server.stopping.is_set():
            self.close_connection = True

    def do_GET(self):
        url = urlsplit(self.path)
        said = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/health":
            self.answer(500 if FAULT == "unhealthy" else 200, {"status": "healthy"})
        elif url.path == "/slow":
            time.sleep(min(float(said.get("seconds", 3)), 30))
            self.answer(200, {"version": VERSION, "slept": said.get("seconds", "3")})
        elif url.path == "/key":
            same = self.headers.get("X-Key") == KEY.read_text()
            self.answer(200 if same else 403, {"same": same})
        elif url.path == "/jobs":
            self.answer(200, {"waiting": redis("LLEN", "jobs"), "done": redis("SCARD", "done")})
        elif url.path in ("/", "/version"):
            self.answer(
                200,
                {
                    "service": "relay-web",
                    "version": VERSION,
                    "status": "nonsense" if FAULT == "badsmoke" else "relaying",
                    "greeting": os.environ.get("GREETING", ""),
                    "colour": json.loads(SETTINGS.read_text())["colour"],
                },
            )
        else:
            self.answer(404, {"error": "there is /, /version, /health, /slow, /key, /jobs"})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if self.path == "/jobs":
            jobs = json.loads(self.rfile.read(length))
            self.answer(202, {"waiting": redis("RPUSH", "jobs", *map(str, jobs))})
            return
        received = 0
        while received < length:
            part = self.rfile.read(min(CHUNK, length - received))
            if not part:
                self.close_connection = True
                return
            received += len(part)
        self.answer(200, {"version": VERSION, "received": received})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", INSTANCE)
        self.send_header("X-Version", VERSION)
        if self.server.stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Counts the requests in flight, so that it can end after the last of them."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self):
        super().__init__(("0.0.0.0", PORT), Handler)
        self.stopping = threading.Event()
        self._flying = 0
        self._idle = threading.Condition()
        self._local = threading.local()

    def mine(self):
        """How many requests the calling thread has begun."""
        return getattr(self._local, "begun", 0)

    def begin(self):
        self._local.begun = self.mine() + 1
        with self._idle:
            self._flying += 1

    def end(self):
        with self._idle:
            self._flying -= 1
            self._idle.notify_all()

    def stop(self):
        """Take no new connection, and end `serve_forever`."""
        self.stopping.set()
        self.shutdown()

    def finish(self):
        """Wait for the requests in flight."""
        self.server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._flying == 0)


def web():
    if FAULT == "crash":
        print("cannot start: this version never does", flush=True)
        return 4
    if FAULT == "unhealthy":
        print("started, but the health check will not pass", flush=True)
    server = Server()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.stop).start())
    server.serve_forever(poll_interval=0.1)
    server.finish()
    return 0


def worker():
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while not stopping.is_set():
        ALIVE.touch()
        try:
            found = redis("BLPOP", "jobs", "1", timeout=5)
            if found:
                time.sleep(float(os.environ.get("JOB_SECONDS", "0.2")))
                redis("SADD", "done", found[1])
        except OSError as error:
            print(f"Redis is away: {error}", flush=True)
            time.sleep(0.5)
    print("finished the last job", flush=True)
    return 0


sys.exit({"web": web, "worker": worker}[sys.argv[1]]())

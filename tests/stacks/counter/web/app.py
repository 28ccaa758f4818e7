"""Counts its visitors in Redis. The version's name says how it misbehaves:

unhealthy-*     the health check fails and the log shows the secret, as careless programs do
crash-*         ends at start, after logging the secret
badsmoke-*      is healthy and answers nonsense
badmigration-*  the migration fails after logging the secret
"""

import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = os.environ["APP_VERSION"]
FAULT = VERSION.partition("-")[0]
TOKEN = Path("/run/secrets/app_token")


def redis(*words):
    """Send one command and return its first line of answer."""
    with socket.create_connection(("redis", 6379), 2) as connection:
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
        return connection.makefile("rb").readline().decode().strip()[1:]


class Handler(BaseHTTPRequestHandler):
    """/ counts, /health checks the store, /token compares the secret."""

    def do_GET(self):
        if self.path == "/health":
            redis("PING")
            self.answer(500 if FAULT == "unhealthy" else 200, {"status": "healthy"})
        elif self.path == "/token":
            same = self.headers.get("X-Token") == TOKEN.read_text()
            self.answer(200 if same else 403, {"same": same})
        else:
            step = json.loads(Path("/etc/counter.json").read_text())["step"]
            self.answer(
                200,
                {
                    "service": "counter-web",
                    "version": VERSION,
                    "status": "nonsense" if FAULT == "badsmoke" else "counting",
                    "greeting": os.environ.get("GREETING", ""),
                    "hits": int(redis("INCRBY", "hits", str(step))),
                    "migrations": int(redis("INCRBY", "migrations", "0")),
                },
            )

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(verb):
    token = TOKEN.read_text()
    if verb == "migrate":
        if FAULT == "badmigration":
            print(f"cannot alter the store, used token {token}", flush=True)
            return 3
        print("migrations run:", redis("INCR", "migrations"), flush=True)
        return 0
    if FAULT in ("unhealthy", "crash"):
        print(f"starting with token {token}", flush=True)
    if FAULT == "crash":
        return 4
    server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()
    return 0


sys.exit(main(sys.argv[1]))

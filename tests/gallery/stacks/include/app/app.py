import http.server
import os
import signal
import sys

version = os.environ.get("VERSION", "none")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sick = self.path == "/health" and version == "broken"
        self.send_response(503 if sick else 200)
        self.end_headers()
        self.wfile.write(f"version {version}\\n".encode())

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Page).serve_forever()

import http.server
import os
import pathlib
import signal
import sys
import urllib.request

name, version = os.environ["NAME"], os.environ.get("VERSION", "")
token = pathlib.Path("/run/secrets/shared_token").read_text()
if version == "broken":
    sys.exit("orders: unknown key in the configuration")


def ask(address):
    request = urllib.request.Request(address, headers={"X-Token": token})
    with urllib.request.urlopen(request, timeout=3) as answer:
        return answer.read().decode().strip()


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = [f"{name} version {version}".strip()]
        if self.path == "/health":
            self.send_response(200)
            self.end_headers()
            return
        if name != "gateway" and self.headers["X-Token"] != token:
            self.send_response(403)
            self.end_headers()
            return
        said += [
            ask(f"http://{other}:8000/") for other in filter(None, os.environ["NEXT"].split(","))
        ]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("; ".join(said).encode())

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8000), Service).serve_forever()

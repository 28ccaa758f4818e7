import http.server
import os
import pathlib
import signal
import socketserver
import sys
import threading

version, lock = os.environ["VERSION"], pathlib.Path("/data/lock")
# The container's own name is new at each start: an old lock is nobody's.
lock.write_text(version)
signal.signal(signal.SIGTERM, lambda *_: (lock.unlink(), sys.exit(0)))
assert pathlib.Path("/etc/git/signing.key").read_text()
if version == "broken":
    sys.exit("unknown repository format")


class Banner(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"SSH-2.0-sample\r\n")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"version {version} holds {lock.read_text()}\n".encode())

    def log_message(self, *args):
        pass


socketserver.ThreadingTCPServer.allow_reuse_address = True
banner = socketserver.ThreadingTCPServer(("", 2222), Banner)
threading.Thread(target=banner.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("", 3000), Page).serve_forever()

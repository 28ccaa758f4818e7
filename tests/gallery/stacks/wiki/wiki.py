import fcntl
import http.server
import os
import sys

lock = open("/data/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
if os.environ["VERSION"] == "broken":
    sys.exit("AttributeError: module 'wiki' has no attribute 'render'")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("/data/pages", "a+") as pages:
            pages.write("x")
            body = f"version {os.environ['VERSION']}, {pages.tell()} edits\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


http.server.HTTPServer(("", 3000), Page).serve_forever()

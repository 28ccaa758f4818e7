import http.server
import os
import pathlib
import sqlite3
import time

version, salt = os.environ["CMS_VERSION"], pathlib.Path(os.environ["CMS_SALT_FILE"]).read_text()
started = time.monotonic()
with sqlite3.connect("cms.sqlite") as db:
    db.execute("CREATE TABLE IF NOT EXISTS starts (version)")
    db.execute("INSERT INTO starts VALUES (?)", (version,))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.monotonic() - started > float(os.environ["CMS_START_SECONDS"])
        good = ready and version != "broken" and salt
        with sqlite3.connect("cms.sqlite") as db:
            (count,) = db.execute("SELECT count(*) FROM starts").fetchone()
        title = os.environ["CMS_TITLE"]
        state = "ready" if good else "Internal error: no connection"
        self.send_response(200 if good else 500)
        self.end_headers()
        self.wfile.write(f"{title}: {state}, version {version}, start {count}\n".encode())

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()

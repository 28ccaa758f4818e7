import http.server
import os
import pathlib
import socket
import subprocess
import sys

VERSION = os.environ["VERSION"]


def sql(statement):
    password = pathlib.Path("/run/secrets/db_password").read_text()
    done = subprocess.run(
        ["psql", "-h", "db", "-U", "app", "-d", "postgres", "-Atqc", statement],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sql(f"INSERT INTO visits VALUES ('{VERSION}')")
        with socket.create_connection(("cache", 6379), 2) as cache:
            cache.sendall(b"INCR hits\r\n")
            hits = cache.recv(64).decode().strip().lstrip(":")
        body = f"version {VERSION}, {sql('SELECT count(*) FROM visits')} visits, {hits} hits\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


if sys.argv[1] == "migrate":
    if VERSION == "broken":
        sys.exit("the schema of this version is wrong")
    sql("CREATE TABLE IF NOT EXISTS visits (version text)")
else:
    http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()

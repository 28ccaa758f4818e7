import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.request

config = json.loads(pathlib.Path(sys.argv[1].partition("=")[2]).read_text())
if config["version"] == "broken":
    sys.exit("rule group 'broken' cannot be parsed")
series = pathlib.Path("/data/series")
ready = threading.Event()


def scrape():
    while True:
        for target in config["targets"]:
            try:
                with urllib.request.urlopen(f"http://{target}/metrics", timeout=2) as answer:
                    with series.open("ab") as out:
                        out.write(answer.read())
                    ready.set()
            except OSError as error:
                print(target, error, flush=True)
        time.sleep(config["interval"])


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if ready.is_set() else 503)
        self.end_headers()
        self.wfile.write(f"version {config['version']}, {series.stat().st_size} bytes\n".encode())

    def log_message(self, *args):
        pass


threading.Thread(target=scrape, daemon=True).start()
http.server.ThreadingHTTPServer(("", 9090), Page).serve_forever()

import http.client
import http.server
import pathlib

# The name's part after the dash is the version: `broken` asks for a server that is not there.
name, port = pathlib.Path("/etc/proxy/upstream").read_text().strip().split(":")
host = "nowhere" if name.endswith("broken") else name.split("-")[0]


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            upstream = http.client.HTTPConnection(host, int(port), timeout=2)
            upstream.request("GET", self.path)
            answer = upstream.getresponse()
            status, body = answer.status, answer.read()
        except OSError:
            status, body = 502, b"bad gateway\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", 8080), Proxy).serve_forever()

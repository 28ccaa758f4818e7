import http.server
import pathlib


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        one, five, fifteen, *_ = pathlib.Path("/proc/loadavg").read_text().split()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"node_load1 {one}\nnode_load5 {five}\nnode_load15 {fifteen}\n".encode())

    def log_message(self, *args):
        pass


http.server.HTTPServer(("", 9100), Metrics).serve_forever()

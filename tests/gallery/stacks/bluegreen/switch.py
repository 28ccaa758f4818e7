import http.server
import os
import socket
import urllib.request

address = socket.gethostbyname(os.environ["LIVE"])


class Switch(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(f"http://{address}:8000{self.path}", timeout=3) as answer:
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.read())

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", 9000), Switch).serve_forever()

import configparser
import http.server
import pathlib

settings = configparser.ConfigParser()
settings.read_string(pathlib.Path("/etc/app/settings.ini").read_text())
words = pathlib.Path("/etc/app/words.bin").read_bytes()
assert words == b"one\r\ntwo\r\nthr\xc3\xa9\n", words
pathlib.Path("/var/cache/app/words").write_bytes(words)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        host = pathlib.Path("/etc/host-name").read_text().strip()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"version {settings['app']['version']} on {host}\n".encode())

    def log_message(self, *args):
        pass


http.server.HTTPServer(("", 8000), Page).serve_forever()

import os
import pathlib
import socketserver
import threading

version = os.environ["VERSION"]
assert pathlib.Path(os.environ["RELAY_PASSWORD_FILE"]).read_text()


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        code = 554 if version == "broken" else 220
        self.wfile.write(f"{code} mail.example.test version {version}\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


servers = [Server(("", port), Session) for port in (2525, 2526, 2527)]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()

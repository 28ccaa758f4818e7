"""The health check: small, as it is run all the time."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 8000), 5) as connection:
    connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
    # To the end: one that hangs up half-way is an error in the service's log.
    answer = connection.makefile("rb").read()
    sys.exit(b" 200 " not in answer[:64])

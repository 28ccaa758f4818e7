"""The health check of the web service and of the worker: small, as it is run all the time."""

import os
import socket
import sys
import time

if sys.argv[1] == "worker":
    sys.exit(time.time() - os.stat("/tmp/alive").st_mtime > 10)
with socket.create_connection(("127.0.0.1", 8000), 5) as connection:
    connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
    sys.exit(b" 200 " not in connection.recv(64))

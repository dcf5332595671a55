#!/usr/local/bin/python -S
"""An app that answers by its container's name, says what it was asked, and asks its queue with the password it has.

With KEY set, all but /health wants it as X-API-Key. Called as `celery` it is a parent that replaces its idle children,
and whose heartbeat leaves the mark that the rendered health check looks at.
"""

import json
import os
import pathlib
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


def ping() -> list[str]:
    """What the queue answers to AUTH and PING."""
    url = urlsplit(os.environ["BROKER"])
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(f"AUTH {url.password}\r\nPING\r\n".encode())
        said = b""
        while said.count(b"\r\n") < 2:
            said += connection.recv(100)
    return said.decode().split()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        key = os.environ.get("KEY")
        if key is not None and self.path != "/health" and self.headers.get("X-API-Key") != key:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        said = {"host": socket.gethostname(), "headers": dict(self.headers), "body": len(body)}
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


if sys.argv[0].endswith("/celery"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGALRM, lambda *_: pathlib.Path("/tmp/celery-heartbeat").touch())
    signal.setitimer(signal.ITIMER_REAL, 0.1, 2.0)  # children inherit no timer
    children: set[int] = set()
    while True:  # one that was killed is replaced, as Celery does
        while len(children) < int(sys.argv[sys.argv.index("--concurrency") + 1]):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.add(child)
        children.discard(os.wait()[0])
if "--ping" in sys.argv:
    sys.stdout.write(f"{ping()}\n")
    sys.exit()
server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[sys.argv.index("--port") + 1])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()

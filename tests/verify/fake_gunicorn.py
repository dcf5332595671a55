"""A stand-in for gunicorn in tests without one: a master, two forked workers, and faults that MODE names.

Copied to <project>/gunicorn/__main__.py, where `python -m gunicorn` finds it. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

MODE = os.environ.get("MODE", "ok")


class Handler(BaseHTTPRequestHandler):
    """GET /health and POST /predict, doubling x with a few milliseconds of work."""

    def do_GET(self) -> None:
        """Health."""
        self.reply(503 if MODE == "never" else 200, {"ready": True})

    def do_POST(self) -> None:
        """2 x."""
        x = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["x"]
        until = time.perf_counter() + 0.005
        while time.perf_counter() < until:
            pass
        self.reply(200, {"y": 2 * x})

    def reply(self, status: int, value: object) -> None:
        """JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def work(listener: socket.socket) -> None:
    """One worker, until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


def main(argv: list[str]) -> int:
    """`--bind HOST:PORT`; everything else is accepted and ignored."""
    if MODE == "crash":
        raise ValueError("the weights are corrupt")
    host, port = argv[argv.index("--bind") + 1].split(":")
    listener = socket.create_server((host, int(port)))
    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            work(listener)
        pids.append(pid)

    def end(*_: object) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A stand-in for gunicorn in tests without one: a master, two forked workers, and faults that MODE names.

Copied to <project>/gunicorn/__main__.py, where `python -m gunicorn` finds it. Standard library only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

MODE = os.environ.get("MODE", "ok")
kept: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """GET /health and POST /predict, doubling x with a few milliseconds of work."""

    def do_GET(self) -> None:
        """Health, or whether a job is done."""
        if self.path.startswith("/jobs/"):
            done = Path("queue", f"{self.path.removeprefix('/jobs/')}.done").exists()
            self.reply(200, {"state": "done" if done else "open"})
            return
        self.reply(503 if MODE == "never" else 200, {"ready": True})

    def do_POST(self) -> None:
        """2 x; or a job for the queue's workers, if there are any."""
        if self.path == "/jobs":
            self.rfile.read(int(self.headers["Content-Length"]))
            Path("queue").mkdir(exist_ok=True)
            job = f"{time.monotonic_ns()}-{os.getpid()}"
            Path("queue", f"{job}.new").touch()
            Path("queue", f"{job}.new").rename(Path("queue", f"{job}.todo"))
            self.reply(202, {"id": job})
            return
        try:
            x = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["x"]
        except (ValueError, KeyError, TypeError):
            if MODE == "fragile":
                os._exit(1)  # a parser that crashes takes the worker with it
            self.reply(400, {"error": "not what is asked for"})
            return
        if MODE == "leak":
            kept.append(bytes(range(256)) * 256)
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
    signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "deaf" else signal.SIG_DFL)
    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


def frozen(pid: int) -> bool:
    """Whether ``pid`` is stopped (SIGSTOP)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def stand_in(listener: socket.socket, pids: list[int]) -> None:
    """Answer 200 while the workers ``pids`` hang: nobody else looks at who waits then."""
    while True:
        time.sleep(0.05)
        if not all(map(frozen, pids)) or not select.select([listener], [], [], 0)[0]:
            continue
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def main(argv: list[str]) -> int:
    """`--bind HOST:PORT`; everything else is accepted and ignored."""
    if MODE == "crash":
        raise ValueError("the weights are corrupt")
    host, port = argv[argv.index("--bind") + 1].split(":")
    listener = socket.create_server((host, int(port)))
    pids: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            work(listener)
        pids.append(pid)

    def end(*_: object) -> None:
        if MODE == "deaf":
            return
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        os._exit(0)

    for _ in range(2):
        fork()
    signal.signal(signal.SIGTERM, end)
    if MODE == "green":  # health is answered by a process that does no inference
        threading.Thread(target=stand_in, args=(listener, pids), daemon=True).start()
    while True:
        try:
            pids.remove(os.wait()[0])
        except ChildProcessError:
            signal.pause()
            continue
        if MODE != "gone":
            fork()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

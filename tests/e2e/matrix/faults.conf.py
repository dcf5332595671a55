"""gunicorn's settings for faults of the server itself; MODE says which."""

import os
import select
import signal
import socket
import threading
import time
from typing import Any

MODE = os.environ.get("MODE", "ok")


def stand_in(listener: socket.socket) -> None:
    """Answer 200 to whoever has waited: health from a process that does no inference."""
    while True:
        select.select([listener], [], [])
        time.sleep(1)
        if select.select([listener], [], [], 0)[0]:
            try:
                connection, _ = listener.accept()
            except OSError:
                continue
            with connection:
                connection.settimeout(1)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def when_ready(server: Any) -> None:
    """The master has bound its socket, and forks its workers next."""
    if MODE == "green":
        threading.Thread(target=stand_in, args=(server.LISTENERS[0].sock,), daemon=True).start()
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """A worker died."""
    if MODE == "gone":
        server.num_workers -= 1

"""gunicorn's settings for faults of the server itself; MODE says which."""

import os
import select
import signal
import socket
import threading
import time
from typing import Any

MODE = os.environ.get("MODE", "ok")


def frozen(pid: int) -> bool:
    """Whether ``pid`` is stopped (SIGSTOP)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def stand_in(listener: socket.socket, server: Any) -> None:
    """Answer 200 while the workers hang: health from a process that does no inference."""
    while True:
        time.sleep(0.1)
        workers = tuple(server.WORKERS)
        if not workers or not all(map(frozen, workers)) or not select.select([listener], [], [], 0)[0]:
            continue
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
        threading.Thread(target=stand_in, args=(server.LISTENERS[0].sock, server), daemon=True).start()
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """A worker died."""
    if MODE == "gone":
        server.num_workers -= 1

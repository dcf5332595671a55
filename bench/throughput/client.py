"""A closed loop of requests: ``AT_ONCE`` of them in flight, each followed at once by the next; the rate of answers."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field

AT_ONCE = 8
TIMEOUT_S = 10.0
"""A request without an answer for so long: the service hangs."""
BOUNDARY = "throughput-bench"


@dataclass
class Tally:
    """What came back: the moments of right answers, how long each took, and what went wrong."""

    moments: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    until: float = 0.0
    """The end of the window: requests sent before it may be answered after it."""


def message(path: str, body: bytes, content_type: str) -> bytes:
    """One whole POST; a connection of its own for each request, as every server here takes it alike."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def multipart(field_name: str, filename: str, content: bytes) -> tuple[bytes, str]:
    """A form with one file: the body and its content type."""
    disposition = f'form-data; name="{field_name}"; filename="{filename}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def ask(port: int, request: bytes, timeout_s: float = TIMEOUT_S) -> str | None:
    """Send one request and read its answer to the end; None for a 200, else what went wrong."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(request)
            first = piece = connection.recv(65536)
            while piece:
                piece = connection.recv(65536)
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return error.strerror or type(error).__name__
    status = first.split(b" ", 2)[1:2]
    return None if status == [b"200"] else f"status {b''.join(status).decode(errors='replace') or 'none'}"


def load(port: int, request: bytes, seconds: float, *, at_least: int = 0, at_most_s: float = 0.0) -> Tally:
    """Keep ``AT_ONCE`` requests in flight for ``seconds``, longer (to ``at_most_s``) until ``at_least`` are answered.

    Ends early once anything hangs.
    """
    tally, guard = Tally(), threading.Lock()
    start = time.monotonic()
    tally.until = start + seconds

    def on() -> bool:
        passed = time.monotonic() - start
        short = len(tally.moments) < at_least and passed < at_most_s
        return (passed < seconds or short) and "no answer" not in tally.errors

    def work() -> None:
        while on():
            sent = time.monotonic()
            wrong = ask(port, request)
            with guard:
                if wrong is None:
                    tally.moments.append(time.monotonic())
                    tally.seconds.append(tally.moments[-1] - sent)
                else:
                    tally.errors.append(wrong)
            if wrong:
                time.sleep(0.05)  # a refused connection must not spin

    threads = [threading.Thread(target=work, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def rate(tally: Tally) -> float:
    """Answers per second between the first and the last one inside the window: no edge cuts a request in two, and the
    end, when no new request follows, does not count. 0.0 where there are not two."""
    inside = [moment for moment in tally.moments if moment <= tally.until] or [0.0]
    first, last = min(inside), max(inside)
    return (len(inside) - 1) / (last - first) if last > first else 0.0

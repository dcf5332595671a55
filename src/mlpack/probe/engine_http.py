"""One GET over the engine's socket. HTTP/1.0 by hand: http.client costs four times a bare Python's start."""

from __future__ import annotations

import socket
import time

from mlpack.probe.engine_address import Address

MOST_BYTES = 16 * 1024 * 1024


class NoAnswer(Exception):
    """The engine gave no usable answer; the text says why."""


def get(address: Address, path: str, timeout_s: float) -> bytes:
    """The body of ``GET path``. Raises NoAnswer with the reason, after at most ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    try:
        with _connect(address, timeout_s) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\nUser-Agent: mlpack\r\n\r\n".encode())
            return parse_response(_read_all(connection, deadline))
    except FileNotFoundError:
        raise NoAnswer(f"no container engine: {address} does not exist") from None
    except PermissionError:
        raise NoAnswer(f"{address}: permission denied; is this user in the group that owns it (docker)?") from None
    except ConnectionRefusedError:
        raise NoAnswer(f"{address}: connection refused; is the engine running?") from None
    except TimeoutError:
        raise NoAnswer(f"{address}: no answer within {timeout_s:g} s") from None
    except (OSError, ValueError, AttributeError) as error:  # a path too long; AF_UNIX, which Windows lacks
        raise NoAnswer(f"{address}: {error}") from None
    except NoAnswer as error:
        raise NoAnswer(f"{address}: {error}") from None


def _connect(address: Address, timeout_s: float) -> socket.socket:
    if address.socket is None:
        return socket.create_connection((address.host, address.port), timeout_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address.socket)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_all(connection: socket.socket, deadline: float) -> bytes:
    """All bytes until the engine closes; a peer that drips bytes is held to the same deadline."""
    parts: list[bytes] = []
    size = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(65536)
        size += len(part)
        if not part:
            return b"".join(parts)
        if size > MOST_BYTES:
            raise NoAnswer("the answer does not end")
        parts.append(part)


def parse_response(data: bytes) -> bytes:
    """The body of an HTTP response to a 1.0 request (so never chunked). Raises NoAnswer unless it is a whole 200."""
    head, separator, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = lines[0].split(b" ", 2)
    if not separator or not lines[0].startswith(b"HTTP/1.") or len(status) < 2 or not status[1].isdigit():
        raise NoAnswer("the answer is not HTTP: something else listens there")
    if status[1] != b"200":
        said = b" ".join(status[1:]).decode(errors="replace")[:80]
        raise NoAnswer(f"the engine answered {said}: {body[:300].decode(errors='replace').strip()}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    length = headers.get(b"content-length", b"")
    if length.isdigit() and len(body) < int(length[:12]):
        raise NoAnswer("the answer ended in the middle")
    return body

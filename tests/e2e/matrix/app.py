"""A tiny service that misbehaves as MODE says: one image for every fault that verify must find."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

MODE = os.environ.get("MODE", "ok")
SPIN_S = 0.004
started = time.monotonic()
held: list[bytes] = []


def my_number() -> int:
    """1 for the first worker that asks, 2 for the second, ...: a lock file each, as workers share no memory."""
    number = 1
    while True:
        try:
            os.close(os.open(f"/tmp/worker-{number}", os.O_CREAT | os.O_EXCL))
            return number
        except FileExistsError:
            number += 1


def answered_first() -> bool:
    """Whether this worker answered the service's first request: that one is right, the others are not."""
    try:
        with open("/tmp/first", "x") as first:  # noqa: PTH123
            first.write(str(os.getpid()))
    except FileExistsError:
        pass
    with open("/tmp/first") as first:  # noqa: PTH123
        return first.read() == str(os.getpid())


if MODE == "crash":
    raise ValueError("the weights are corrupt")
if MODE == "oom-at-load":
    held.append(b"x" * (300 * 1024**2))
number = my_number() if MODE == "one-hung" else 0
if MODE == "one-hung" and number == 2:
    threading.Event().wait()


def answer(start_response: Callable[..., Any], status: str, value: object) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def predict(x: int) -> int:
    until = time.perf_counter() + SPIN_S
    while time.perf_counter() < until:
        pass
    if MODE == "wrong" or (MODE == "one-wrong" and not answered_first()):
        return 2 * x - 1
    if MODE == "oom":
        held.append(b"x" * (300 * 1024**2))
    if MODE == "slow":
        time.sleep(60)
    return 2 * x


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/health":
        ready = MODE != "never"
        return answer(start_response, "200 OK" if ready else "503 Service Unavailable", {"ready": ready})
    if MODE == "early" and time.monotonic() < started + 30:
        return answer(start_response, "503 Service Unavailable", {"error": "the model is still loading"})
    size = int(environ.get("CONTENT_LENGTH") or 0)
    return answer(start_response, "200 OK", {"y": predict(json.loads(environ["wsgi.input"].read(size))["x"])})

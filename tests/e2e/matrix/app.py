"""A tiny service that misbehaves as MODE says: one image for every fault that verify must find."""

from __future__ import annotations

import json
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

MODE = os.environ.get("MODE", "ok")
SPIN_S = float(os.environ.get("SPIN_S", "0.004"))
SLEEP_S = float(os.environ.get("SLEEP_S", "0"))
MIB = 1024**2
LATE = 40
"""Answers of one worker after which it is under load: what comes before asks for far fewer."""
GREEDY = "with open('/proc/self/oom_score_adj', 'w') as f: f.write('1000')\nx = b'x' * (300 * 1024**2)"
"""A program that needs more than there is, and asks the kernel to kill it before all others. One only, and while no
other request is at work: what a dying process held is free a moment after the kernel ceased to wait for it, and
whoever wants a page in that moment is killed as well: a worker now and then, and its answer with it."""
started = time.monotonic()
held: list[object] = []
lock = threading.Lock()
answered: list[int] = []


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


def fill(path: str, size: int) -> None:
    """Write ``size`` bytes to ``path``."""
    with open(path, "wb") as file:  # noqa: PTH123
        for _ in range(size // MIB):
            file.write(b"x" * MIB)


def hold_a_lock_while_others_fork() -> None:
    """What libraries do whose threads are busy when a preloading master forks: the child's copy stays locked."""
    lock.acquire()
    time.sleep(3600)


if MODE == "crash":
    raise ValueError("the weights are corrupt")
if MODE == "no-module":
    import nobody_has_this  # type: ignore[import-not-found]  # noqa: F401
if MODE == "no-library":
    raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
if MODE == "shm-full":
    fill("/dev/shm/tensor", 96 * MIB)
if MODE == "disk-full":
    fill("/tmp/spool", 32 * MIB)
if MODE == "read-only":
    fill("/opt/hand/cache/compiled.bin", MIB)
if MODE == "no-permission":
    fill("/opt/hand/cache.bin", MIB)
if MODE == "missing-file":
    open("/opt/hand/weights.bin", "rb")  # noqa: PTH123, SIM115
if MODE == "port-taken":
    socket.create_server(("0.0.0.0", 8000))
if MODE == "pids":
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
if MODE == "oom-at-load":
    held.append(b"x" * (300 * MIB))
if MODE == "mapped":
    weights = open("/opt/hand/weights.mapped", "rb")  # noqa: PTH123, SIM115
    held.append(mmap.mmap(weights.fileno(), 0, access=mmap.ACCESS_READ))
if MODE == "fork-deadlock":
    threading.Thread(target=hold_a_lock_while_others_fork, daemon=True).start()
    time.sleep(0.1)
if MODE == "loaded-twice":
    held.append(bytearray(os.urandom(MIB)) * 24)
number = my_number() if MODE == "one-hung" else 0
if MODE == "one-hung" and number == 2:
    threading.Event().wait()


def answer(start_response: Callable[..., Any], status: str, value: object) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def misbehave() -> None:
    """Whatever MODE does beside a right answer."""
    answered.append(1)
    if MODE == "oom":
        held.append(b"x" * (300 * MIB))
    if MODE == "oom-child" and len(answered) == LATE and my_number() == 1:
        subprocess.run([sys.executable, "-c", GREEDY], check=False)
    if MODE == "slow":
        time.sleep(60)
    if MODE == "hangs-later" and len(answered) > 20:
        threading.Event().wait()
    if MODE == "fork-deadlock":
        lock.acquire()
    if MODE == "leak":
        held.append(os.urandom(MIB // 16))
    if MODE == "writes":
        fill(f"/var/tmp/{os.getpid()}", MIB)
    if MODE == "mapped":
        sum(held[0][:: mmap.PAGESIZE])  # type: ignore[index]


def predict(x: int) -> int:
    if MODE == "forty":  # releases the interpreter's lock, as inference does
        import hashlib

        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 60_000)
    if MODE == "pool":  # a library's own pool, which nobody told how many CPUs there are
        import hashlib

        pool = [threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"x", b"y", 60_000)) for _ in range(4)]
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()
    until = time.thread_time() + SPIN_S
    while time.thread_time() < until:
        pass
    time.sleep(SLEEP_S)
    if MODE == "wrong" or (MODE == "one-wrong" and not answered_first()):
        return 2 * x - 1
    misbehave()
    return 2 * x


def read(environ: dict[str, Any]) -> Any:
    """The request's JSON; None where it is none."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    if MODE == "greedy" and size > MIB:
        return {"x": 21}
    try:
        return json.loads(body)["x"] and json.loads(body)
    except (ValueError, KeyError, TypeError):
        if MODE == "fragile":
            os._exit(1)
        if MODE == "unchecked":
            raise
        if MODE == "swallows":
            threading.Event().wait()
        return None


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/health":
        ready = MODE != "never"
        return answer(start_response, "200 OK" if ready else "503 Service Unavailable", {"ready": ready})
    if MODE == "early" and time.monotonic() < started + 30:
        return answer(start_response, "503 Service Unavailable", {"error": "the model is still loading"})
    asked = read(environ)
    if asked is None:
        return answer(start_response, "400 Bad Request", {"error": "not what is asked for"})
    return answer(start_response, "200 OK", {"y": predict(asked["x"])})


if __name__ == "__main__":  # one process without a master: what ends it ends the container
    from wsgiref.simple_server import make_server

    make_server("0.0.0.0", 8000, app).serve_forever()

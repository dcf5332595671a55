"""Calls a WSGI or ASGI app without a server: start-up, one request, several at once.

Runs in the measured process, in the project's Python: standard library only, nothing newer than Python 3.8 outside
annotations, and every module that is imported counts as the app's memory; so only what every app needs anyway.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from mlpack.measure.turns import Failure, Request, Turns

CHUNK_BYTES = 64 * 1024
"""Bodies arrive in pieces of this size, as from uvicorn."""


def is_asgi(app: Any) -> bool:
    """An ASGI app is called and awaited: its code is a coroutine's (flag CO_COROUTINE)."""
    code = getattr(app, "__code__", None) or getattr(type(app).__call__, "__code__", None)
    return bool(code is not None and code.co_flags & 0x80)


class Wsgi:
    """Requests in threads that stay, as gunicorn's gthread worker has them; with concurrency 1 in the main thread."""

    def __init__(self, app: Any, request: Request, concurrency: int) -> None:
        self._app, self._requests, self._concurrency = app, Turns(request), concurrency
        self._pool: Any = None

    def startup(self) -> None:
        """WSGI has no start-up of its own: models load at import."""
        if self._concurrency > 1:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._concurrency)

    def once(self) -> None:
        """One request, checked."""
        if self._pool is None:
            self._call()
        else:
            self._pool.submit(self._call).result()

    def together(self, rounds: int) -> None:
        """``rounds`` times as many requests as the concurrency says, starting at the same moment."""
        if self._pool is None:
            for _ in range(rounds):
                self._call()
            return
        barrier = threading.Barrier(self._concurrency)

        def work() -> None:
            barrier.wait()  # no thread takes two: every one of the pool is there
            self._call()

        for _ in range(rounds):
            for future in [self._pool.submit(work) for _ in range(self._concurrency)]:
                future.result()

    def also(self, bodies: list[str]) -> int:
        """From now on ask with these bodies too, in turn; how many were answered as expected, and stay."""
        return sum(self._answered(request) for request in self._requests.with_bodies(bodies))

    def _answered(self, request: Request) -> bool:
        try:
            self._call(request)
        except Exception:  # an app may refuse or fail on what is shorter: then it is not asked so
            return False
        self._requests.add(request)
        return True

    def _call(self, asked: Request | None = None) -> None:
        request = asked or self._requests.next()
        said: list[bytes] = []
        status: list[int] = []

        def start_response(line: str, _: Any, __: Any = None) -> Callable[[bytes], None]:
            status.append(int(line.split(" ", 1)[0]))
            return said.append

        parts = self._app(self._environ(request), start_response)
        try:
            size = 0
            for part in parts:  # a server sends each part and forgets it
                size += len(part)
                if size <= 4 * CHUNK_BYTES:
                    said.append(part)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        request.check(status[-1] if status else None, b"".join(said))

    def _environ(self, request: Request) -> dict[str, Any]:
        body = request.body()
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(request.path, "latin-1"),
            "QUERY_STRING": request.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in request.headers:
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else "HTTP_" + key] = value
        return environ


class Asgi:
    """Requests as tasks of one event loop, as in a uvicorn worker; ``def`` endpoints go to the framework's threads."""

    def __init__(self, app: Any, request: Request, concurrency: int) -> None:
        import asyncio

        self._asyncio, self._app, self._requests, self._concurrency = asyncio, app, Turns(request), concurrency
        self._loop = asyncio.new_event_loop()
        self._state: dict[str, Any] = {}

    def startup(self) -> None:
        """The lifespan protocol's start-up: models load here, or at import. An app without lifespan is left alone."""
        self._loop.run_until_complete(self._startup())

    def once(self) -> None:
        """One request, checked."""
        self._loop.run_until_complete(self._call())

    def together(self, rounds: int) -> None:
        """``rounds`` times as many requests as the concurrency says, starting at the same moment."""

        async def work() -> None:
            for _ in range(rounds):
                await self._asyncio.gather(*[self._call() for _ in range(self._concurrency)])

        self._loop.run_until_complete(work())

    def also(self, bodies: list[str]) -> int:
        """From now on ask with these bodies too, in turn; how many were answered as expected, and stay."""
        return sum(self._answered(request) for request in self._requests.with_bodies(bodies))

    def _answered(self, request: Request) -> bool:
        try:
            self._loop.run_until_complete(self._call(request))
        except Exception:  # an app may refuse or fail on what is shorter: then it is not asked so
            return False
        self._requests.add(request)
        return True

    async def _startup(self) -> None:
        asyncio = self._asyncio
        asked, answer = asyncio.Event(), self._loop.create_future()

        async def receive() -> dict[str, Any]:
            if not asked.is_set():
                asked.set()
                return {"type": "lifespan.startup"}
            return await self._loop.create_future()  # type: ignore[no-any-return]  # shutdown never comes

        async def send(message: dict[str, Any]) -> None:
            if not answer.done():
                answer.set_result(message)

        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        self._lifespan = self._loop.create_task(self._app(scope, receive, send))  # kept: the app's context lives in it
        await asyncio.wait([self._lifespan, answer], return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.result()["type"] == "lifespan.startup.failed":
            raise Failure("startup", answer.result().get("message", "").strip() or "the app's lifespan failed")
        if self._lifespan.done():
            self._lifespan.exception()  # "lifespan" is not supported by this app; servers go on as well

    async def _call(self, asked: Request | None = None) -> None:
        request = asked or self._requests.next()
        body = request.body()
        said: list[bytes] = []
        status: list[int] = []
        sent = 0

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent > len(body) or (sent == len(body) and body):
                return await self._loop.create_future()  # type: ignore[no-any-return]  # the client stays connected
            part, sent = body[sent : sent + CHUNK_BYTES], sent + max(1, min(CHUNK_BYTES, len(body) - sent))
            return {"type": "http.request", "body": part, "more_body": sent < len(body)}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
            elif len(said) < 4:
                said.append(bytes(message.get("body", b"")))

        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        headers += [(b"host", b"127.0.0.1:8000"), (b"content-length", str(len(body)).encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(request.path),
            "raw_path": request.path.encode(),
            "query_string": request.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "state": dict(self._state),
        }
        await self._app(scope, receive, send)
        request.check(status[-1] if status else None, b"".join(said))

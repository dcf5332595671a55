"""What is asked of the measured app, and whose turn it is: the largest request, and others beside it.

Runs in the measured process, in the project's Python: standard library only, nothing newer than Python 3.8 outside
annotations.
"""

from __future__ import annotations


class Failure(Exception):
    """The app did not answer as it should. ``kind``: startup, request, status."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Request:
    """One HTTP request; the body is read from its file anew each time, as a server reads it from the network."""

    def __init__(self, method: str, path: str, headers: list[list[str]], body_file: str | None, status: int) -> None:
        self.method, self.headers, self.body_file, self.status = method, headers, body_file, status
        self.path, _, self.query = path.partition("?")
        self.text: str | None = None

    def with_body(self, text: str) -> Request:
        """The same with another body."""
        path = self.path + ("?" + self.query if self.query else "")
        other = Request(self.method, path, self.headers, None, self.status)
        other.text = text
        return other

    def body(self) -> bytes:
        """The body, freshly read."""
        if self.text is not None:
            return self.text.encode()
        if self.body_file is None:
            return b""
        with open(self.body_file, "rb") as stream:  # noqa: PTH123 - pathlib would be one more import to measure
            return stream.read()

    def check(self, status: int | None, said: bytes) -> None:
        """Raise Failure unless ``status`` is the expected one."""
        if status != self.status:
            text = said[:500].decode(errors="replace")
            raise Failure("status", f"{self.method} {self.path} answered {status}, not {self.status}: {text}")


class Turns:
    """Requests that are asked one after the other, from any thread."""

    def __init__(self, request: Request) -> None:
        self._all, self._at = [request], 0

    def next(self) -> Request:
        """Whose turn it is; two threads may at worst ask the same."""
        self._at += 1
        return self._all[self._at % len(self._all)]

    def add(self, request: Request) -> None:
        """One more."""
        self._all.append(request)

    def with_bodies(self, bodies: list[str]) -> list[Request]:
        """The first one with each of ``bodies``."""
        return [self._all[0].with_body(body) for body in bodies]

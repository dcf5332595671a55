"""Sends one HTTP request and brings back what came, within a total time and size. No failure is an exception."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlpack.client.message import Message
from mlpack.client.trust import Trust, mounts

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 256 * 1024**2
"""No answer of a model service is larger; an endless one must end somewhere."""


@dataclass(frozen=True)
class Answer:
    """What came back: a status and body, or ``broken`` saying why nothing whole did. ``elapsed_s`` is from send to
    the last byte."""

    elapsed_s: float
    status: int | None = None
    body: bytes = b""
    broken: str | None = None
    location: str | None = None
    """Where a redirect points."""

    @cached_property
    def _parsed(self) -> tuple[Any, tuple[str, ...]]:
        try:
            return json.loads(self.body), ()
        except (ValueError, RecursionError) as error:
            start = self.body[:80].decode("utf-8", "replace")
            return None, (f"the answer is not JSON ({error or 'nested too deep'}): {start!a}",)

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is not, see ``not_json``."""
        return self._parsed[0]

    @property
    def not_json(self) -> tuple[str, ...]:
        """Why the body is not JSON; empty where it is."""
        return self._parsed[1]


def open_client(*, connections: int = 1, trusted: Mapping[str, Trust] | None = None) -> httpx.Client:
    """A client for ``connections`` requests at once. It ignores proxy variables: deployments are asked directly.

    ``trusted``: base URL -> whose certificate is taken there. Nothing else is asked by TLS, so no authority of this
    machine is read (that takes longer than most answers).
    """
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    own = mounts(trusted or {}, limits)
    return httpx.Client(
        trust_env=False,
        follow_redirects=False,
        limits=limits,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        mounts=own,
    )


def send(
    client: httpx.Client,
    base: str,
    message: Message,
    timeout_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Send ``message`` to the service at ``base`` (``http://127.0.0.1:8000``) and read its whole answer.

    ``timeout_s`` bounds the whole exchange, to within one read. Every failure of the network is an Answer.
    """
    import httpx

    start = clock()

    def broken(words: str) -> Answer:
        return Answer(clock() - start, broken=words)

    try:
        url = base.rstrip("/") + message.target
        request = client.build_request(
            message.method, url, headers=list(message.headers), content=message.body or None, timeout=timeout_s
        )
        answer = client.send(request, stream=True)
        try:
            parts, size = [], 0
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > MAX_BODY_BYTES:
                    return broken(f"answer too large: over {MAX_BODY_BYTES // 1024**2} MiB")
                if clock() - start > timeout_s:
                    return broken(f"timed out: no whole answer within {timeout_s:g} s")
            return Answer(clock() - start, answer.status_code, b"".join(parts), location=answer.headers.get("Location"))
        finally:
            answer.close()
    except httpx.TimeoutException:
        return broken(f"timed out: no answer within {timeout_s:g} s")
    except httpx.ConnectError as error:
        return broken(f"no connection: {error}")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return broken(f"connection broken: {error or type(error).__name__}")

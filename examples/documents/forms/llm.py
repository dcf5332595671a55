"""Asks the language model: never more at once than it has slots, again with growing pauses, not at all while it fails.

Time limits nest: one call < all tries of one task < the task's soft limit. Waiting for a slot is not part of a call.
"""

import fcntl
import http.client
import json
import os
import random
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0


class Away(Exception):
    """The model did not answer in the time there was."""


class Refused(Exception):
    """The model's server says that the question itself is wrong: asking again would not help."""


@dataclass
class Breaker:
    """Open after ``most`` failures in a row: for ``open_s`` nothing is asked, then one try decides."""

    most: int = 5
    open_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    opened: float = field(default=0.0)

    def rests_s(self) -> float:
        """Seconds until the next try is allowed; 0: now."""
        return max(0.0, self.opened + self.open_s - self.clock()) if self.failures >= self.most else 0.0

    def succeeded(self) -> None:
        """An answer came: closed again."""
        self.failures = 0

    def failed(self) -> None:
        """No answer came."""
        self.failures += 1
        self.opened = self.clock()


@dataclass
class Client:
    """One process's way to the model; ``slots`` are shared by all processes of the container."""

    url: str
    slots: int
    call_s: float
    folder: Path = Path(tempfile.gettempdir())
    breaker: Breaker = field(default_factory=Breaker)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def ask(
        self,
        messages: list[dict[str, str]],
        schema: dict[str, object],
        *,
        within_s: float,
        waits: Callable[[str], None] = lambda _: None,
    ) -> str:
        """The answer, which fits ``schema``. Raises Away after ``within_s``, Refused at once. ``waits`` hears why."""
        body = {
            "messages": messages,
            "temperature": 0,
            "max_tokens": 160,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        }
        until, pause = self.clock() + within_s, FIRST_PAUSE_S
        why = "a free slot of the language model"
        while (left := until - self.clock()) > 0:
            rest = self.breaker.rests_s()
            if rest:
                self.sleep(min(rest, left))
                continue
            with self._slot() as mine:
                if mine:
                    try:
                        said = self._call(body, min(self.call_s, left))
                    except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                        self.breaker.failed()
                        why = reason(error)
                        waits(why)
                    else:
                        self.breaker.succeeded()
                        waits("")
                        return said
            if not mine:
                self.sleep(0.1 + 0.1 * random.random())
                continue
            self.sleep(pause * (0.5 + random.random() / 2))  # not all at the same moment
            pause = min(LONGEST_PAUSE_S, 2 * pause)
        raise Away(f"no answer within {within_s:.0f} s: {why}")

    def loaded(self) -> str:
        """Empty when the model is loaded, else why not."""
        try:
            urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
        except OSError as error:
            return reason(error)
        return ""

    def _call(self, body: dict[str, object], timeout_s: float) -> str:
        request = urllib.request.Request(
            f"{self.url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return str(json.load(answer)["choices"][0]["message"]["content"])
        except urllib.error.HTTPError as error:
            if error.code in (400, 401, 404, 413, 422):
                raise Refused(f"the language model's server answered {error.code}") from error
            raise

    @contextmanager
    def _slot(self) -> Iterator[bool]:
        """Whether one of the slots is ours; the kernel gives a dead process's slot back."""
        for number in range(self.slots):
            handle = os.open(self.folder / f"llm-slot-{number}", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            try:
                yield True
            finally:
                os.close(handle)
            return
        yield False


def reason(error: Exception) -> str:
    """What a user is told of a failed call."""
    if isinstance(error, urllib.error.HTTPError):
        return (
            "the language model is not loaded yet"
            if error.code == 503
            else f"the language model's server answered {error.code}"
        )
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the language model takes too long"
    if isinstance(error, OSError):
        return "the language model's server does not answer"
    return "the language model's answer cannot be read"

"""Asks the running services what mlpack.yaml's requests say, and judges every answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpack.client.files import Files
from mlpack.client.http import open_client
from mlpack.client.load import Enough, Outcome, load
from mlpack.client.steps import UNTIL_S, Connection, run_request
from mlpack.client.trust import Trust
from mlpack.client.wait import not_healthy
from mlpack.report import LoadResult
from mlpack.spec import Request


@dataclass(frozen=True)
class Asked:
    """One request, all steps: right when nothing is wrong. ``words`` says what was, a line each."""

    name: str
    elapsed_s: float
    kind: str | None = None
    words: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Every step was answered as expected."""
        return self.kind is None


class Asker:
    """Sends requests by name. Every request uses a connection of its own: the kernel gives it to any free worker,
    where a kept connection would stay with one."""

    def __init__(
        self,
        requests: Mapping[str, Request],
        bases: Mapping[str, str],
        root: Path,
        environ: Mapping[str, str],
        *,
        timeout_s: float,
        secrets: Mapping[str, str],
        trusted: dict[str, Trust] | None = None,
    ) -> None:
        self.requests, self.bases = requests, bases
        self._files, self._environ, self._timeout_s, self._secrets = Files(root), environ, timeout_s, secrets
        self.trusted = {} if trusted is None else trusted
        """Base URL -> whose certificate is taken there; filled while services get theirs."""

    def at(self, services: Iterable[str], url: str) -> Asker:
        """The same, with each of ``services`` asked at ``url``: a replica among several, past what stands before it."""
        bases = {**self.bases, **dict.fromkeys(services, url)}
        return Asker(
            self.requests,
            bases,
            self._files.root,
            self._environ,
            timeout_s=self._timeout_s,
            secrets=self._secrets,
            trusted=self.trusted,
        )

    def patient(self, extra_s: float) -> Asker:
        """The same, where every ``until`` may take ``extra_s`` longer: something was killed on purpose."""
        requests = {
            name: request.model_copy(
                update={
                    "steps": tuple(
                        step
                        if step.until is None
                        else step.model_copy(update={"within_s": (step.within_s or UNTIL_S) + extra_s})
                        for step in request.steps
                    )
                }
            )
            for name, request in self.requests.items()
        }
        return Asker(
            requests,
            self.bases,
            self._files.root,
            self._environ,
            timeout_s=self._timeout_s,
            secrets=self._secrets,
            trusted=self.trusted,
        )

    def moved(self, old: str | None, new: str | None) -> None:
        """What answered at ``old`` answers at ``new`` from now on: it was started again."""
        if old is not None and new is not None:
            self.bases = {service: new if base == old else base for service, base in self.bases.items()}

    def ask(self, name: str) -> Asked:
        """One request."""
        with open_client(trusted=self.trusted) as client:
            client.headers["Connection"] = "close"
            connection = Connection(
                client, self.bases, self._files, self._timeout_s, secrets=self._secrets, environ=self._environ
            )
            exchanges = run_request(self.requests[name], connection)
        elapsed_s = sum(exchange.elapsed_s for exchange in exchanges)
        last = exchanges[-1]
        words = tuple(f"{last.what}: {problem}" for problem in last.problems)
        return Asked(name, elapsed_s, last.kind, words)

    def together(self, name: str, count: int) -> list[Asked]:
        """``count`` times the same request at once."""
        answers: list[Asked] = []
        guard = threading.Lock()

        def send(_: int) -> Outcome:
            asked = self.ask(name)
            with guard:
                answers.append(asked)
            return Outcome(asked.elapsed_s, asked.kind)

        load(send, count, count, deadline_s=self._timeout_s)
        return answers

    def load(
        self,
        names: tuple[str, ...],
        requests: int,
        concurrency: int,
        deadline_s: float,
        saw: Callable[[Asked], None],
        *,
        ways: Sequence[Asker] = (),
        enough: Enough | None = None,
    ) -> LoadResult:
        """``requests`` of ``names`` in turn, ``concurrency`` at once, by each of ``ways`` in turn (by default this
        one); ``saw`` is told each. ``enough``: when fewer will do."""
        guard = threading.Lock()
        askers = ways or (self,)

        def send(index: int) -> Outcome:
            # every way gets every request, also where their numbers have a common factor
            asker = askers[(index // len(names)) % len(askers)]
            asked = asker.ask(names[index % len(names)])
            with guard:
                saw(asked)
            return Outcome(asked.elapsed_s, asked.kind, "; ".join(asked.words) or None)

        return load(send, requests, concurrency, deadline_s, enough=enough)

    def not_healthy(self, base: str, path: str, timeout_s: float) -> str | None:
        """Why the health route does not answer 200 now; None when it does."""
        with open_client(trusted=self.trusted) as client:
            client.headers["Connection"] = "close"
            return not_healthy(client, base, path, timeout_s)


def mixed(requests: Mapping[str, Request]) -> tuple[str, ...]:
    """Names for the load, to be sent in turn: every largest one and every other that is a single exchange.

    Sizes vary as users' do, and the largest still meet in every worker; long flows of many steps stay out unless they
    are the largest themselves.
    """
    return tuple(name for name, request in requests.items() if request.largest or len(request.steps) == 1)


def largest(requests: Mapping[str, Request]) -> tuple[str, ...]:
    """Names of the requests marked largest, else all: what sizing and worker proof use."""
    return tuple(name for name, request in requests.items() if request.largest) or tuple(requests)

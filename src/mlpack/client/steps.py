"""Runs one request of mlpack.yaml, step by step, against running services; stops at the first step that is wrong."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpack.client.files import Files
from mlpack.client.http import Answer, send
from mlpack.client.match import match
from mlpack.client.message import message
from mlpack.errors import MlpackError, VerifyError
from mlpack.process import run
from mlpack.spec import Expect, Request, Step

if TYPE_CHECKING:
    import httpx

UNTIL_S = 60.0
"""Deadline of ``until`` where the step names none."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, SHORTEST_S = 0.05, 2.0, 0.001
LAST_ASK_S = 1.0
"""The last question of ``until`` may overrun its deadline by so much: a shorter one would always time out."""


@dataclass(frozen=True)
class Exchange:
    """One step that ran: what it was, the last answer (None for ``run``), and what was wrong, a line each."""

    what: str
    elapsed_s: float
    problems: tuple[str, ...] = ()
    answer: Answer | None = None

    @property
    def kind(self) -> str | None:
        """The kind of what went wrong, for counting; None where nothing did."""
        if not self.problems:
            return None
        if self.answer is None:
            return "step failed"
        if self.answer.broken is not None:
            return self.answer.broken.partition(":")[0]
        wrong_status = self.problems[0].startswith("status ")
        return f"status {self.answer.status}" if wrong_status else "wrong answer"


@dataclass(frozen=True)
class Connection:
    """Where and how to send: service name -> base URL, samples, secrets, environment of ``run`` steps, and a clock."""

    client: httpx.Client
    bases: Mapping[str, str]
    files: Files
    timeout_s: float
    """Of one exchange."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def run_request(request: Request, connection: Connection) -> tuple[Exchange, ...]:
    """Run the steps of ``request`` in order; the last Exchange has problems if one went wrong, and is then the last.

    Never raises for what a server does. Secrets never show in what is returned.
    """
    known: dict[str, Any] = {}
    exchanges: list[Exchange] = []
    for step in request.steps:
        try:
            exchange = _command(step, connection) if step.run else _exchange(step, connection, known)
        except MlpackError as error:
            exchange = Exchange(_title(step), 0.0, (str(error),))
        exchanges.append(_hidden(exchange, connection.secrets))
        if exchange.problems:
            break
        if exchange.answer is not None and isinstance(exchange.answer.json, dict):
            known.update(exchange.answer.json)
    return tuple(exchanges)


def _exchange(step: Step, connection: Connection, known: Mapping[str, Any]) -> Exchange:
    base = connection.bases.get(step.to or "")
    if base is None:
        raise VerifyError(f"the service {step.to!r} has no address", where=_title(step))
    sent = message(step, connection.files, connection.secrets, known)
    start = connection.clock()

    def ask(timeout_s: float) -> Answer:
        return send(connection.client, base, sent, timeout_s, clock=connection.clock)

    if step.until is None:
        answer = ask(connection.timeout_s)
    else:
        answer, problems = _poll(step.until, step.within_s or UNTIL_S, ask, connection)
        if problems:
            return Exchange(_title(step), connection.clock() - start, problems, answer)
    expect = step.expect or (Expect() if step.until is None else None)
    problems = match(expect, answer, connection.files) if expect is not None else ()
    return Exchange(_title(step), connection.clock() - start, problems, answer)


def _poll(
    until: Expect, within_s: float, ask: Callable[[float], Answer], connection: Connection
) -> tuple[Answer, tuple[str, ...]]:
    """Ask until the answer matches or ``within_s`` is over; pauses double from 50 ms to 2 s."""
    deadline = connection.clock() + within_s
    pause_s = FIRST_PAUSE_S
    while True:
        left_s = deadline - connection.clock()
        answer = ask(min(connection.timeout_s, max(left_s, LAST_ASK_S)))
        problems = match(until, answer, connection.files)
        left_s = deadline - connection.clock()
        if not problems:
            return answer, ()
        if left_s < SHORTEST_S:
            return answer, (f"not so within {within_s:g} s: {problems[0]}", *problems[1:])
        connection.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _command(step: Step, connection: Connection) -> Exchange:
    """A script of the user: it finds each service's address as MLPACK_<SERVICE>_URL."""
    addresses = {f"MLPACK_{name.upper().replace('-', '_')}_URL": base for name, base in connection.bases.items()}
    start = connection.clock()
    done = run(
        step.run,
        cwd=connection.files.root,
        env={**connection.environ, **addresses},
        timeout_s=step.within_s or connection.timeout_s,
        check=False,
    )
    said = (done.stderr.strip() or done.stdout.strip())[-1000:]
    problems = () if done.code == 0 else (f"exit code {done.code}: {said}",)
    return Exchange(_title(step), connection.clock() - start, problems)


def _title(step: Step) -> str:
    return f"run {shlex.join(step.run)}" if step.run else f"{step.method} {step.to} {step.path}"


def _hidden(exchange: Exchange, secrets: Mapping[str, str]) -> Exchange:
    """``exchange`` with the values of secrets blotted out of its problems, should a server have sent them back."""
    problems = exchange.problems
    for value in filter(None, secrets.values()):
        problems = tuple(problem.replace(value, "***") for problem in problems)
    return Exchange(exchange.what, exchange.elapsed_s, problems, exchange.answer)

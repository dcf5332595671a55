"""Asks a row's service: how to send one request and judge its answer; over HTTP, or as Celery tasks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice

from bench.footprint.engine import IMAGE, docker
from bench.footprint.inputs import SEEDS, body, order
from bench.footprint.project import ROOT
from bench.footprint.rows import Served

NEAR = 0.02
"""Answers are rounded to a thousandth; batches of other neighbours and threads move the last digits."""
Answers = dict[int, list[float]]


@dataclass
class Asked:
    """What came of some requests: latencies of right answers, the answers by seed, what went wrong."""

    seconds: list[float] = field(default_factory=list)
    answers: Answers = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def p95_s(self) -> float:
        """95th percentile by nearest rank; 0 of none."""
        ordered = sorted(self.seconds)
        return ordered[max(0, -(-95 * len(ordered) // 100) - 1)] if ordered else 0.0


def right(answer: object, expected: list[float] | None) -> bool:
    """Whether ``answer`` is numbers, and those that were expected (None: whatever comes is what is expected)."""
    if not isinstance(answer, list) or not answer:
        return False
    if expected is None:
        return True
    return len(answer) == len(expected) and all(
        abs(float(a) - float(b)) <= NEAR * max(1.0, abs(float(b))) for a, b in zip(answer, expected, strict=True)
    )


def http(
    port: int, served: Served, count: int, clients: int, expected: Answers, *, within_s: float, request_s: float
) -> Asked:
    """``count`` requests by ``clients`` threads, each sending its next when the last is answered."""
    asked, guard, until_s = Asked(), threading.Lock(), time.monotonic() + within_s
    seeds = iter(islice(cycle(order(served)), count))

    def work() -> None:
        while True:
            with guard:
                seed = next(seeds, None)
            if seed is None:
                return
            if time.monotonic() > until_s:
                with guard:
                    asked.wrong.append("not sent in time")
                return
            began_s = time.monotonic()
            answer, why = _one(port, body(served, seed), request_s)
            took_s = time.monotonic() - began_s
            _note(asked, guard, expected, seed=seed, answer=answer, why=why, seconds=took_s)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return asked


def celery(
    project: str, network: str, count: int, clients: int, expected: Answers, *, within_s: float, request_s: float
) -> Asked:
    """The same as tasks, sent from a container of their own (see apps/celery_asks.py)."""
    argv = ["/opt/torch/bin/python", f"{ROOT}/celery_asks.py", *map(str, (count, clients, SEEDS, within_s, request_s))]
    words = [
        "run",
        "--rm",
        "--network",
        network,
        "-v",
        f"{project}:{ROOT}:ro",
        "--env",
        "BROKER_URL=redis://broker:6379/0",
    ]
    done = docker(*words, IMAGE, *argv, check=False, timeout_s=within_s + request_s + 60)
    asked, guard = Asked(), threading.Lock()
    if done.returncode:
        asked.wrong.append(done.stderr.strip()[-300:])
        return asked
    for seed, seconds, answer, why in json.loads(done.stdout):
        _note(asked, guard, expected, seed=seed, answer=answer, why=why, seconds=seconds)
    return asked


def _note(
    asked: Asked,
    guard: threading.Lock,
    expected: Answers,
    *,
    seed: int,
    answer: object,
    why: str | None,
    seconds: float,
) -> None:
    with guard:
        if why is None and right(answer, expected.get(seed)):
            asked.seconds.append(seconds)
            if isinstance(answer, list):
                asked.answers.setdefault(seed, answer)
        else:
            asked.wrong.append(why or f"seed {seed} answered {str(answer)[:200]}, not {expected.get(seed)}")


def _one(port: int, asked: dict[str, object], timeout_s: float) -> tuple[object, str | None]:
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(
            "POST", "/predict", json.dumps(asked), {"Content-Type": "application/json", "Connection": "close"}
        )
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            return None, f"status {response.status}: {said[:200].decode(errors='replace')}"
        return json.loads(said)["answer"], None
    except (OSError, HTTPException, ValueError, KeyError) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


Ask = Callable[[int, int, Answers, float, float], Asked]
"""count, clients, expected, within_s, request_s"""

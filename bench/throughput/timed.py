"""What is timed: one point alone, or several alive at once and loaded in turn."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any

from bench.throughput import client, server
from bench.throughput.points import Point
from bench.throughput.project import Ready
from bench.throughput.report import GOAL, rate, rows

CHOICE = "mlpack"
SCREEN_WINDOW_S = 2.0
WINDOW_S = 1.5
"""In the final: short, so that a machine whose speed changes from second to second is alike for all of a round."""
TURNS, LONGEST_WINDOW_S = 6, 6.0
"""A window is at least so many of the answers' median times long: in two, edges decide more than the service."""
WARM_S = 1.0
ANSWERS_PER_WORKER = 6
"""Before a point counts: a worker's first requests compile, allocate and fill caches."""
WARM_AT_MOST_S = 8.0
ROUNDS, MORE_ROUNDS = 3, 7
"""Of all finalists, and then of the choice and the MOST_NEAR best others within NEAR of the best so far."""
NEAR, MOST_NEAR = 0.9, 3
EXTRA_ROUNDS = 12
"""At most, of the choice and the best other, where the ratio is nearer to the goal than it is sure."""
SETTLE_S = 0.3
FULL_BYTES = 2 * 2**30
"""Memory that stays free while finalists are alive; those that no longer fit are left out, aloud."""


def launch(made: Ready, point: Point | None, log: str) -> server.Running:
    """Start a point (None: mlpack's, exactly as rendered and under its own limit) and wait for nothing."""
    wanted = made.limit(planned=point is None)
    return server.start(made.argv(point), made.environ(point), made.folder, wanted, made.folder / log)


def warm(made: Ready, point: Point | None, running: server.Running) -> float:
    """Wait until every worker has loaded, and answer some requests: the median seconds that one of them took.

    Raises NotReady, with the point ended.
    """
    workers = made.choice.workers if point is None else point.workers
    try:
        running.ready(made.plan.spec.services["web"].health or "/", workers)
        answers = ANSWERS_PER_WORKER * workers
        tally = client.load(running.port, made.request, WARM_S, at_least=answers, at_most_s=WARM_AT_MOST_S)
        if not tally.moments:
            raise server.NotReady(tally.errors[0] if tally.errors else "no answer")
        return statistics.median(tally.seconds)
    except BaseException:
        running.stop()
        raise


def screen(made: Ready, point: Point) -> dict[str, Any]:
    """One point alone, once."""
    running = launch(made, point, "screen.log")
    try:
        warm(made, point, running)
    except server.NotReady as error:
        return {"rps": 0.0, "errors": 1, "failed": str(error)[-200:]}
    try:
        tally = client.load(running.port, made.request, SCREEN_WINDOW_S)
        return {
            "rps": rate(tally.moments, tally.until, SCREEN_WINDOW_S),
            "errors": len(tally.errors),
            "pss_bytes": running.pss_bytes(),
        }
    finally:
        running.stop()


def final(made: Ready, points: dict[str, Point | None], rounds: tuple[int, int]) -> dict[str, Any]:
    """All ``points`` alive, loaded one after another in rounds of changing order: each one's rates and latency.

    ``rounds``: of all, and more of the near ones. A rate is None in a round that its point sat out.
    """
    alive: dict[str, server.Running] = {}
    found: dict[str, Any] = {name: {"rates": [], "seconds": [], "errors": 0} for name in points}
    try:
        for i, (name, point) in enumerate(points.items()):
            if available_bytes() < FULL_BYTES:
                found[name]["failed"] = "no memory left to keep it alive beside the others"
            else:
                alive[name] = launch(made, point, f"final-{i}.log")
        answer_s = [0.0]
        for name in list(alive):  # they load side by side
            try:
                answer_s.append(warm(made, points[name], alive[name]))
            except server.NotReady as error:
                found[name]["failed"] = str(error)[-200:]
                del alive[name]
        taking, window_s = list(alive), min(LONGEST_WINDOW_S, max(WINDOW_S, TURNS * statistics.median(answer_s)))
        for number in range(sum(rounds) + (EXTRA_ROUNDS if rounds[1] else 0)):
            if number == rounds[0]:
                taking = near(found, alive, MOST_NEAR)
            if number >= sum(rounds):
                if decided(found):
                    break
                taking = near(found, alive, 1)
            for name in random.Random(number).sample(taking, len(taking)):
                time.sleep(SETTLE_S)
                tally = client.load(alive[name].port, made.request, window_s)
                found[name]["rates"].append(rate(tally.moments, tally.until, window_s))
                found[name]["seconds"] += tally.seconds
                found[name]["errors"] += len(tally.errors)
            for name in found.keys() - set(taking):
                found[name]["rates"].append(None)
        for name, running in alive.items():
            found[name]["pss_bytes"] = running.pss_bytes()
    finally:
        for running in alive.values():
            running.stop()
    for one in found.values():
        latencies = sorted(one.pop("seconds"))
        one["p95_s"] = latencies[int(0.95 * (len(latencies) - 1))] if latencies else None
    return found


def near(found: dict[str, Any], alive: dict[str, server.Running], most: int) -> list[str]:
    """The choice, and the ``most`` best others that may still be the best."""
    shares = {row["name"]: row["of_best"] for row in rows(found, {}, CHOICE)}
    others = sorted((name for name in alive if name != CHOICE), key=lambda name: -shares[name])
    return [CHOICE, *(name for name in others[:most] if shares[name] >= NEAR * max(shares.values()))]


def decided(found: dict[str, Any]) -> bool:
    """The choice's share is on one side of the goal by twice its standard error, or it is the best itself."""
    choice = rows(found, {}, CHOICE)[0]
    return bool(choice["of_best"] == 1 or abs(choice["of_best"] - GOAL) > 2 * choice["plus_minus"])


def available_bytes() -> int:
    """MemAvailable."""
    line = next(one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemAvailable"))
    return 1024 * int(line.split()[1])

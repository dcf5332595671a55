"""The pure parts of single checks: what was written, what is shared, which threads computed, what broken bodies are."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from tests.verify import hand

from mlpack.client.files import Files
from mlpack.meter.snapshot import ProcessReading
from mlpack.units import MIB
from mlpack.verify.broken import MOST_BYTES, bound_of, first_step, variants
from mlpack.verify.checks.models_once import shared_bytes
from mlpack.verify.checks.writes import written
from mlpack.verify.computing import computed, spent_while


def test_of_docker_diff_only_what_a_program_wrote_counts() -> None:
    lines = ["C /opt", "C /opt/hand", "A /opt/hand/cache", "A /opt/hand/cache/x", "C /etc", "C /etc/hosts", "A /data/y"]
    assert written(lines, ("/data",)) == ("/opt/hand/cache/x",)
    assert written(["C /run", "A /run/secrets", "C /var", "A /var/lib/db"], ("/var/lib/db",)) == ()
    assert written(["D /opt/gone"], ()) == ("/opt/gone",)
    assert written(["C /usr", "C /usr/sbin", "A /usr/sbin/docker-init", "A /.dockerenv"], ()) == (), "the engine's own"
    assert written([], ()) == ()


def reading(anonymous_mib: float, pss_mib: float | None) -> ProcessReading:
    """A process with so much anonymous memory, of which so much is its share."""
    pss = None if pss_mib is None else round(pss_mib * MIB)
    return ProcessReading(1, 0, "w", (), 1, 0.0, round(anonymous_mib * MIB), pss, 0, 0, 0, 0, 0, 0, 0, (), {})


def test_shared_memory_follows_from_each_workers_share() -> None:
    """90 MiB shared by a master and two workers: 30 in each one's PSS, beside 10 of its own."""
    assert shared_bytes([reading(100, 40), reading(100, 40)]) == pytest.approx(90 * MIB, rel=1e-6)
    assert shared_bytes([reading(100, 100), reading(100, 40)]) == 0, "one worker loaded for itself"
    assert shared_bytes([reading(100, None)]) is None
    assert shared_bytes([]) is None


def test_threads_that_computed_are_told_from_those_that_only_woke() -> None:
    assert computed({1: 0.0001, 2: 1.0, 3: 1.0, 4: 0.02}, requests=2) == 2
    assert computed(dict.fromkeys(range(40), 0.1), requests=40) == 40
    assert computed({1: 0.001}, requests=1) == 0
    assert computed({}, requests=0) == 0


def test_every_threads_own_time_is_seen_also_of_those_that_end() -> None:
    def work() -> None:
        threads = [
            threading.Thread(target=lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 400_000)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    spent = spent_while(Path("/proc"), (os.getpid(),), work)[os.getpid()]
    assert computed(spent, requests=3) == 3
    assert spent_while(Path("/proc"), (2**30,), lambda: None) == {2**30: {}}


def test_broken_bodies_are_made_of_the_right_one(tmp_path: Path) -> None:
    plan = hand.plan()
    step = first_step(plan, "web", ("double",))
    assert step is not None
    found = variants(step, Files(tmp_path), {}, 100)
    assert {one.what for one in found if not one.too_large} >= {"an empty body", "a body cut off in the middle"}
    (large,) = [one for one in found if one.too_large]
    assert len(large.message.body) == 101
    assert all(one.message.target == "/predict" and one.message.method == "POST" for one in found)
    assert not [one for one in variants(step, Files(tmp_path), {}, MOST_BYTES) if one.too_large], "too much to send"
    assert bound_of(plan, "web", step) is None


def test_a_request_without_a_body_is_not_broken() -> None:
    from mlpack.spec import Request, Step

    wanted = hand.spec({"get": Request(steps=(Step(to="web", path="/x"),))})
    assert first_step(hand.plan(wanted=wanted), "web", ("get",)) is None

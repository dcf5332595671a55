"""Waiting for the CPU quota: a failure only where fewer threads are planned than the quota has room for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.verify import hand

from mlpack.meter.cgroup import Counters
from mlpack.report import LoadResult
from mlpack.verify.checks import throttled
from mlpack.verify.run import Answer, Run

LOAD = LoadResult(
    requests=9, concurrency=4, errors=0, duration_s=10, requests_per_s=1, p50_s=1, p95_s=1, p99_s=1, max_s=1
)


def counters(waited_s: float | None, throttled_periods: int) -> Counters:
    """After so much waiting, in 100 periods."""
    memory: dict[str, Any] = dict.fromkeys(("usage_bytes", "anonymous_bytes", "file_mapped_bytes", "shm_bytes"), 0)
    return Counters(
        **memory,
        kernel_bytes=0,
        refault_bytes=0,
        oom_kills=0,
        throttled_s=waited_s,
        limit_bytes=None,
        periods=100,
        throttled_periods=throttled_periods,
    )


def judge(waited_s: float | None, *, often: int = 0, workers: int = 2, own: bool = True) -> Answer:
    """Of a load of 10 s, where two CPUs are planned."""
    service = hand.service_plan(cpus=2.0, workers=workers)
    none = counters(0.0, 0).__class__(**{**vars(counters(0.0, 0)), "periods": 0})
    watch: Any = SimpleNamespace(
        instance=SimpleNamespace(name="web-1", service="web"),
        before_load=none,
        after_load=counters(waited_s, often),
        own_group=own,
    )
    run = Run(Path("/p"), hand.lock(hand.plan(service)), SimpleNamespace(), {}, lambda _: None)
    run.watches, run.load = (watch,), LOAD
    return throttled.check(run)


@pytest.mark.parametrize(("waited_s", "often"), [(0.0, 0), (0.4, 90), (4.9, 10), (0.9, 90)])
def test_a_little_waiting_is_how_quotas_work(waited_s: float, often: int) -> None:
    assert judge(waited_s, often=often).status == "passed"


@pytest.mark.parametrize(("waited_s", "often"), [(5.1, 10), (1.1, 60)])
def test_more_is_named_with_a_change(waited_s: float, often: int) -> None:
    answer = judge(waited_s, often=often)
    assert (answer.status, answer.kind) == ("failed", "throttled")
    assert "only 2 threads are planned" in answer.summary
    assert [(patch.path, patch.after) for patch in answer.patches] == [("services.web.cpus", 3)]


def test_what_is_planned_so_or_not_counted_is_said() -> None:
    assert "planned so: 4 threads share them" in "".join(judge(9.0, workers=4).evidence)
    assert "nothing counts" in "".join(judge(None).evidence)
    assert "nothing counts" in "".join(judge(9.0, own=False).evidence)

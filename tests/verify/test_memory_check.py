"""The judgement on memory, with measurements made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.verify import hand

from mlpack.launchers.base import State
from mlpack.meter.cgroup import Counters
from mlpack.meter.sampler import Peaks
from mlpack.plan import ServicePlan, Term
from mlpack.report import LoadResult, MemorySample
from mlpack.units import MIB
from mlpack.verify.checks import memory
from mlpack.verify.run import Answer, Run
from mlpack.verify.watch import Watch, thinned

LOAD = LoadResult(
    requests=200, concurrency=4, errors=0, duration_s=1, requests_per_s=1, p50_s=1, p95_s=1, p99_s=1, max_s=1
)


def counters(*, refault_bytes: int | None = 0, oom_kills: int = 0, file_mapped_bytes: int = 100 * MIB) -> Counters:
    """A control group's counters."""
    return Counters(
        usage_bytes=0,
        anonymous_bytes=0,
        file_mapped_bytes=file_mapped_bytes,
        kernel_bytes=0,
        shm_bytes=0,
        refault_bytes=refault_bytes,
        oom_kills=oom_kills,
        throttled_s=0.0,
        limit_bytes=1000 * MIB,
    )


def judge(
    need_mib: int,
    *,
    source: str = "measured",
    lower_mib: int = 0,
    planned_mapped_mib: int = 100,
    refault_mib: int | None = 0,
    oom_kills: int = 0,
    charged_mib: int = 100,
    load: LoadResult | None = LOAD,
    not_limited: tuple[str, ...] = (),
    fault: str | None = None,
    terms: tuple[Term, ...] = (),
) -> Answer:
    """The check's answer for a service with a limit of 1000 MiB, 800 MiB predicted, 100 MiB mapped."""
    plan = hand.memory_plan(1000 * MIB, peak_bytes=800 * MIB, lower_bytes=lower_mib * MIB)
    plan = plan.model_copy(update={"mapped_bytes": planned_mapped_mib * MIB, "serve_terms": terms})
    service: ServicePlan = hand.service_plan(memory=plan, footprint_source=source)
    refaults = None if refault_mib is None else refault_mib * MIB
    after = counters(refault_bytes=refaults, oom_kills=oom_kills, file_mapped_bytes=charged_mib * MIB)
    state = State("running", running=True)
    instance: Any = SimpleNamespace(
        name="web-1", service="web", state=lambda: state, container=None, root_pid=None, logs=lambda: ()
    )
    sample = MemorySample(at_s=1, anonymous_bytes=0, mapped_bytes=100 * MIB, kernel_bytes=0)
    peaks = Peaks(anonymous_bytes=(need_mib - 100) * MIB, mapped_bytes=100 * MIB, need_bytes=need_mib * MIB, readings=1)
    sampler: Any = SimpleNamespace(peaks=peaks, samples=(sample,), fault=fault, elapsed_s=9.0)
    watch = Watch(instance, sampler, lambda: after, "by hand", own_group=True)
    watch.before_load = counters(refault_bytes=None if refaults is None else 0)
    watch.mark_load_end()
    launched: Any = SimpleNamespace(not_limited=not_limited)
    run = Run(Path("/p"), hand.lock(hand.plan(service)), launched, {}, lambda _: None)
    run.instances, run.watches, run.load, run.load_requests = (instance,), (watch,), load, 200
    return memory.check(run)


def words(answer: Answer) -> str:
    """Everything it says."""
    return "\n".join((answer.summary, *answer.evidence))


@pytest.mark.parametrize(
    ("need_mib", "status"), [(679, "failed"), (680, "passed"), (800, "passed"), (920, "passed"), (921, "failed")]
)
def test_a_measured_prediction_holds_within_15_percent(need_mib: int, status: str) -> None:
    answer = judge(need_mib)
    assert answer.status == status
    assert "0.85-1.15 of the measured prediction" in words(answer)


@pytest.mark.parametrize(("need_mib", "status"), [(339, "failed"), (340, "passed"), (920, "passed"), (921, "failed")])
def test_what_a_plan_only_allows_for_need_not_be_used_up(need_mib: int, status: str) -> None:
    terms = (
        Term(name="libraries", each_bytes=200 * MIB, count=2, source="measured"),
        Term(name="gunicorn master", each_bytes=300 * MIB, count=1, source="default"),
        Term(name="load peak", each_bytes=50 * MIB, count=2, source="estimated"),
    )
    answer = judge(need_mib, terms=terms)
    assert answer.status == status
    assert "of it 400 MiB allowances that need not be used up" in words(answer)


@pytest.mark.parametrize(
    ("need_mib", "status"), [(299, "failed"), (300, "passed"), (500, "passed"), (920, "passed"), (921, "failed")]
)
def test_an_estimate_may_be_too_high_down_to_its_lower_bound(need_mib: int, status: str) -> None:
    answer = judge(need_mib, source="estimated", lower_mib=300)
    assert answer.status == status
    assert "from the surely needed 300 MiB to 1.15 of the estimate" in words(answer)


def test_more_than_the_limit_fails_whatever_was_predicted() -> None:
    answer = judge(1001, source="estimated")
    assert answer.status == "failed"
    assert "it would thrash or be killed" in answer.summary


def test_mapped_pages_beyond_the_planned_are_judged_by_refaults_alone() -> None:
    assert judge(960).status == "failed"
    answer = judge(960, planned_mapped_mib=50)  # 50 MiB that the start touched: 910 of 800, within the band
    assert answer.status == "passed"
    assert judge(1001, source="estimated", planned_mapped_mib=50).status == "failed"  # 951 of 800
    assert judge(960, planned_mapped_mib=50, refault_mib=201).status == "failed"


def test_a_kill_fails() -> None:
    answer = judge(800, oom_kills=1)
    assert answer.status == "failed"
    assert "oom_kill" in answer.summary


def test_reading_more_than_a_percent_of_the_mapped_again_fails() -> None:
    assert judge(800, refault_mib=200).status == "passed"  # 200 requests: 1 MiB each, 1 % of 100 MiB
    answer = judge(800, refault_mib=201)
    assert answer.status == "failed"
    assert "it thrashes" in answer.summary


def test_refaults_that_nobody_counts_prove_nothing() -> None:
    answer = judge(800, refault_mib=None)
    assert answer.status == "not_proven"
    assert "thrashing is not ruled out" in answer.summary


def test_pages_that_others_paid_for_leave_the_limit_unproven() -> None:
    assert judge(800, charged_mib=80).status == "passed"  # 20 MiB: 2 % of the limit
    answer = judge(800, charged_mib=79)
    assert answer.status == "not_proven"
    assert "limit not proven" in answer.summary


def test_without_a_load_or_a_limit_nothing_is_proven_but_kills_still_count() -> None:
    assert judge(800, load=None).status == "not_proven"
    assert judge(100, load=None).status == "not_proven"
    assert judge(800, load=None, oom_kills=1).status == "failed"
    answer = judge(800, not_limited=("memory (1,000 MiB) of web-1: no rights",))
    assert answer.status == "not_proven"
    assert "the limit itself is not tried" in answer.summary


def test_a_timeline_is_thinned_without_losing_its_peak() -> None:
    samples = [
        MemorySample(at_s=n / 10, anonymous_bytes=999 if n == 777 else n % 7, mapped_bytes=0, kernel_bytes=0)
        for n in range(1000)
    ]
    kept = thinned(samples, 100)
    assert len(kept) <= 100
    assert max(sample.anonymous_bytes for sample in kept) == 999
    assert [sample.at_s for sample in kept] == sorted(sample.at_s for sample in kept)
    assert thinned(samples[:5], 100) == tuple(samples[:5])


def test_memory_that_was_not_read_throughout_proves_nothing() -> None:
    answer = judge(800, fault="KeyError: 'rss'")
    assert answer.status == "not_proven"
    assert "KeyError" in answer.summary

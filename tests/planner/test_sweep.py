"""What-if: every point is the plan one would get by hand, and the answers follow from the points."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.planner.build import CELERY, GUNICORN, footprint, host, spec

from mlpack.errors import DoesNotFit, UsageError
from mlpack.host import HostFacts
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.planner.machines import resized
from mlpack.planner.subject import Origin
from mlpack.planner.sweep import Point, enough, focus, sweep
from mlpack.planner.sweep_asked import parse_sweep
from mlpack.spec import Spec
from mlpack.units import GIB

WEB = spec({"web": GUNICORN})
PRINTS = {"web": footprint()}


def plan_at(on: HostFacts, wanted: Spec, origins: Mapping[str, Origin]) -> Plan:
    return make_plan(on, wanted, PRINTS, profiles=("prod",), origins=origins, runtimes={"web": ("torch",)})


def points(text: str, on: HostFacts, wanted: Spec = WEB) -> tuple[Point, ...]:
    return sweep(parse_sweep(text, wanted), on, wanted, PRINTS, plan_at)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("workers=1..4", "web.workers", (1, 2, 3, 4)),
        ("web.threads=1,2,8", "web.threads", (1, 2, 8)),
        ("services.web.concurrency=2", "web.concurrency", (2,)),
        ("cores=1..64", "cores", (1, 2, 4, 8, 16, 32, 64)),
        ("ram=4G..16G", "ram", tuple(n * GIB for n in (4, 6, 8, 12, 16))),
        ("ram=512M..2G", "ram", (GIB // 2, GIB, 3 * GIB // 2, 2 * GIB)),
        ("ram=5G..5G", "ram", (5 * GIB,)),
    ],
)
def test_what_is_asked(text: str, name: str, values: tuple[int, ...]) -> None:
    asked = parse_sweep(text, WEB)
    assert (asked.name, asked.values) == (name, values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "workers",
        "wrkers=1..3",
        "workers=0..3",
        "workers=3..1",
        "workers=1,1",
        "workers=a",
        "ram=x..y",
        "web=1..2",
        "nobody.workers=1..2",
        "web.ram=1G..2G",
        "a.b.workers=1",
        "workers=",
        "workers=-3..3",
        "ram=1..1000T",
        "ram=0",
        f"workers={','.join(str(n) for n in range(1, 70))}",
    ],
)
def test_what_cannot_be_asked(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sweep(text, WEB)
    assert caught.value.where == "--sweep"
    assert caught.value.hint


def test_of_several_services_one_is_named() -> None:
    two = spec({"web": GUNICORN, "worker": CELERY})
    with pytest.raises(UsageError, match="which service"):
        parse_sweep("workers=1..2", two)
    assert parse_sweep("worker.workers=1..2", two).service == "worker"


def test_a_point_is_the_plan_of_that_machine() -> None:
    on = host(64 * GIB, 4)
    for point in points("ram=2G..16G", on):
        plan = plan_at(resized(on, point.value), WEB, {})
        assert point.fits
        assert point.memory_bytes == plan.budget.used_bytes
        assert point.usable_bytes == plan.budget.usable_bytes.value
        assert point.services["web"].workers == plan.services["web"].workers.value


def test_a_worker_more_needs_more_until_it_does_not_fit() -> None:
    found = points("workers=1..40", host(3 * GIB, 64))
    needs = [point.memory_bytes for point in found]
    assert all(need is not None for need in needs)
    assert needs == sorted(needs, key=lambda need: need or 0)
    fits = [point.fits for point in found]
    assert fits == sorted(fits, reverse=True), "once it does not fit, more workers do not"
    assert any(fits)
    assert not all(fits)
    for point in found:
        assert point.memory_bytes is not None
        assert point.usable_bytes is not None
        assert point.fits == (point.memory_bytes <= point.usable_bytes)
        assert point.fits == (point.refused is None)


def test_throughput_by_hand() -> None:
    (one, two) = points("workers=1,2", host(64 * GIB, 2), spec({"web": {**GUNICORN, "threads": 1}}))
    # one thread, measured with unknown threads: 0.5 s a request is 2/s; two workers lose 1.5 % each
    assert one.services["web"].requests_per_s == pytest.approx(2.0)
    assert two.services["web"].requests_per_s == pytest.approx(2 * 2 * 0.985)


def test_the_smallest_that_is_nearly_best() -> None:
    found = points("ram=1G..64G", host(64 * GIB, 4))
    best = enough(found, "web")
    assert best is not None
    top = max(p.services["web"].requests_per_s for p in found if p.services)
    assert best.services["web"].requests_per_s >= 0.95 * top
    smaller = [p for p in found if p.value < best.value and p.services]
    assert all(p.services["web"].requests_per_s < 0.95 * top for p in smaller)
    assert focus(found, parse_sweep("ram=1G..64G", WEB)) == "web"


def test_nothing_fits() -> None:
    found = points("ram=100M,200M", host(64 * GIB, 4))
    assert enough(found, "web") is None
    assert all(point.refused for point in found)


def test_a_refusal_says_the_memory_that_would_do() -> None:
    with pytest.raises(DoesNotFit) as caught:
        plan_at(host(1100 * 1024**2, 1), WEB, {})
    assert caught.value.host_bytes is not None
    assert plan_at(host(caught.value.host_bytes, 1), WEB, {})

"""What a host has for a project, and how it is shared out."""

from __future__ import annotations

import pytest
from tests.planner.build import GUNICORN, engine, footprint, host, plan, region, spec, subject

from mlpack.errors import DoesNotFit
from mlpack.host import HostFacts
from mlpack.planner.budget import core_shares, household, water_fill
from mlpack.units import GIB, MIB


def usable(on: HostFacts, *, containers: bool = True, **budget: float) -> int:
    """Usable bytes under a budget."""
    return household(on, spec({"web": GUNICORN}, budget=budget), {}, containers=containers).usable.value


def test_share_and_keep_back() -> None:
    assert usable(host(16 * GIB), memory_share=0.5) == 8 * GIB
    assert usable(host(2 * GIB), memory_share=0.85) == 1 * GIB  # at least 1 GiB is kept back
    assert usable(host(16 * GIB), memory_bytes=4 * GIB, memory_share=0.5) == 4 * GIB


def test_the_engines_machine_counts_for_containers_only() -> None:
    mac = host(16 * GIB, 8).model_copy(update={"engine": engine(8 * GIB, 6, virtual_machine=True)})
    whole = spec({"web": GUNICORN})
    inside, outside = (household(mac, whole, {}, containers=containers) for containers in (True, False))
    assert (inside.total.value, inside.cores.value) == (8 * GIB, 6)
    assert (outside.total.value, outside.cores.value) == (16 * GIB, 8)


def test_a_quota_below_the_engines_cores_binds() -> None:
    limited = host(16 * GIB, 8, quota=2.5).model_copy(update={"engine": engine(16 * GIB, 8, virtual_machine=False)})
    assert household(limited, spec({"web": GUNICORN}), {}, containers=True).cores.value == 2.5


def test_a_budget_beyond_the_host_is_said() -> None:
    house = household(
        host(4 * GIB), spec({"web": GUNICORN}, budget={"memory_bytes": 8 * GIB, "cpus": 16}), {}, containers=True
    )
    assert house.usable.value == 3 * GIB
    assert house.cores.value == 4
    assert [finding.where for finding in house.findings] == ["budget.memory", "budget.cpus"]


def test_a_host_smaller_than_what_is_kept_back() -> None:
    with pytest.raises(DoesNotFit, match="nothing is left"):
        household(host(GIB), spec({"web": GUNICORN}), {}, containers=True)


def test_services_with_models_share_the_cores() -> None:
    one = subject(GUNICORN).service
    plain = subject({**GUNICORN, "models": []}).service
    assert core_shares({"a": one, "b": one, "p": plain}, 8) == {"a": 4, "b": 4, "p": 8}
    assert core_shares({"a": one, "b": one, "c": one}, 2) == {"a": 1, "b": 1, "c": 1}
    assert core_shares({"a": one}, 1.5) == {"a": 1.5}


def test_more_cores_than_there_are_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="web is to have 8 cores, there are 4"):
        plan({"web": {**GUNICORN, "cpus": 8}})


def test_water_fill() -> None:
    assert water_fill(100, (10, 80, 80)) == (10, 45, 45)
    assert water_fill(100, (10, 20)) == (10, 20)
    assert water_fill(0, (5,)) == (0,)


def test_limits_of_all_services_stay_within_the_budget() -> None:
    heavy = footprint(regions=(region("weights", "load", "anonymous", "process", 1500),))
    made = plan(
        {"a": {**GUNICORN, "publish": 1}, "b": {**GUNICORN, "publish": 2}, "q": {"server": "redis"}},
        {"a": heavy, "b": heavy},
        on=host(10 * GIB, 8),
    )
    assert made.budget.used_bytes <= made.budget.usable_bytes.value
    assert [made.services[name].workers.value for name in "ab"] == [2, 2]  # 8.5 GiB less Redis: two of 1.5 GiB each


def test_an_estimate_that_only_may_not_fit_is_clipped_and_said() -> None:
    wide = footprint(source="estimated", regions=(region("weights", "load", "anonymous", "process", 4000, lower=500),))
    made = plan({"web": GUNICORN}, {"web": wide}, on=host(3 * GIB))
    web = made.services["web"]
    assert web.memory.limit_bytes.value == 2 * GIB
    assert web.workers.value == 1
    assert [f.code for f in made.findings if f.severity == "warning"] == ["estimate-may-not-fit"]
    hint = next(f.hint for f in made.findings if f.code == "estimate-may-not-fit")
    assert hint is not None
    assert "mlpack estimate --measure" in hint


def test_the_users_limit_is_kept_or_refused() -> None:
    made = plan({"web": {**GUNICORN, "memory_bytes": 600 * MIB}})
    web = made.services["web"]
    assert web.memory.limit_bytes.value == 600 * MIB
    assert web.memory.limit_bytes.source == "user"
    assert web.memory.limit_bytes.because.startswith("set in the spec; the measured need is ")
    assert "would do" not in web.memory.limit_bytes.because  # a hand-set limit may be there as the sum did not do
    assert web.workers.value == 2  # 20 + 200 n + ... : three would need more than 600 MiB
    with pytest.raises(DoesNotFit, match="its memory is set to 100 MiB"):
        plan({"web": {**GUNICORN, "memory_bytes": 100 * MIB}})

"""A refusal shows the whole sum, which adds up, and ways that work when they are tried."""

from __future__ import annotations

import re

import pytest
from tests.planner.build import GUNICORN, footprint, host, plan, region, spec

from mlpack.errors import DoesNotFit
from mlpack.footprint import Footprint
from mlpack.model import DtypeShare, ModelFile, ModelInfo
from mlpack.planner import make_plan
from mlpack.planner.machines import named
from mlpack.units import GIB, MIB

HEAVY = footprint(
    regions=(
        region("weights", "load", "anonymous", "process", 1500),
        region("activations", "serve", "anonymous", "request", 600),
    )
)


def refusal(service: dict[str, object], print_: Footprint, gib: float) -> DoesNotFit:
    """The error for one service on a host of ``gib``."""
    with pytest.raises(DoesNotFit) as caught:
        plan({"web": {**GUNICORN, **service}}, {"web": print_}, on=host(int(gib * GIB)))
    return caught.value


def mib_of(line: str) -> int:
    """The first number of MiB in ``line``."""
    found = re.search(r"([\d,]+) MiB", line)
    assert found is not None, line
    return int(found.group(1).replace(",", ""))


def test_the_sum_adds_up() -> None:
    error = refusal({"workers": 4}, HEAVY, 8)
    lines = error.what.splitlines()
    needed, there, _, short = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) MiB", lines[0]))
    assert needed - there == pytest.approx(short, abs=1)
    head = next(i for i, line in enumerate(lines) if line.startswith("web, one replica"))
    rows = [mib_of(line) for line in lines[head + 1 :]]
    assert sum(rows) == pytest.approx(needed, abs=len(rows))
    assert "4 workers" in lines[head]
    assert any("weights (4 x 1,500 MiB)" in line for line in lines)


def test_fewer_workers_that_are_offered_fit() -> None:
    error = refusal({"workers": 4}, HEAVY, 8)
    assert error.hint is not None
    found = re.search(r"workers: (\d)", error.hint)
    assert found is not None
    fewer = int(found.group(1))
    assert plan({"web": {**GUNICORN, "workers": fewer}}, {"web": HEAVY}, on=host(8 * GIB))
    refusal({"workers": fewer + 1}, HEAVY, 8)


def test_the_bigger_host_that_is_offered_fits_and_less_does_not() -> None:
    error = refusal({"workers": 4}, HEAVY, 8)
    assert error.hint is not None
    total = mib_of(error.hint[error.hint.index("a host with") :])
    assert plan({"web": {**GUNICORN, "workers": 4}}, {"web": HEAVY}, on=host(total * MIB))
    refusal({"workers": 4}, HEAVY, (total - 2) / 1024)


def test_preload_is_offered_where_a_proof_would_make_it_fit() -> None:
    error = refusal({"workers": 2, "concurrency": 1}, HEAVY, 4)
    assert error.hint is not None
    assert "preload, if `mlpack estimate --measure` proves" in error.hint


def test_a_smaller_input_is_offered_where_activations_are_what_is_too_much() -> None:
    big = footprint(regions=(region("activations", "serve", "anonymous", "request", 4000),))
    error = refusal({"concurrency": 1, "workers": 1}, big, 4)
    assert error.hint is not None
    found = re.search(r"at most (\d+) % of today's", error.hint)
    assert found is not None
    part = int(found.group(1)) / 100
    smaller = footprint(regions=(region("activations", "serve", "anonymous", "request", 4000 * part),))
    assert plan({"web": {**GUNICORN, "workers": 1}}, {"web": smaller}, on=host(4 * GIB))


def test_an_estimate_is_refused_below_its_lower_bound_only() -> None:
    wide = footprint(source="estimated", regions=(region("weights", "load", "anonymous", "process", 9000, lower=3500),))
    assert "lower bounds of an estimate of 9," in refusal({}, wide, 4).what
    assert plan({"web": GUNICORN}, {"web": wide}, on=host(8 * GIB))


def test_an_absolute_budget_is_named_as_what_to_raise() -> None:
    with pytest.raises(DoesNotFit) as caught:
        plan({"web": {**GUNICORN, "workers": 4}}, {"web": HEAVY}, on=host(64 * GIB), budget={"memory_bytes": 2 * GIB})
    assert caught.value.hint is not None
    assert "budget.memory of " in caught.value.hint


def refusal_of(service: dict[str, object], print_: Footprint, gib: float, info: ModelInfo, **more: object) -> str:
    """The hint for one service whose model has the header ``info``."""
    whole = spec({"web": {**GUNICORN, **service}}, **more)
    with pytest.raises(DoesNotFit) as caught:
        make_plan(
            host(int(gib * GIB)),
            whole,
            {"web": print_},
            profiles=(),
            origins={},
            runtimes={"web": ("torch",)},
            infos={"m": info},
        )
    return caught.value.hint or ""


def header(dtype: str, count: int, name: str = "safetensors") -> ModelInfo:
    """A model of ``count`` bytes in one dtype."""
    share = DtypeShare(dtype=dtype, parameters=count // 4, bytes=count)
    file = ModelFile(path="m", size_bytes=count, header_sha256="0" * 64)
    return ModelInfo(format=name, files=(file,), dtypes=(share,))


def weights_of(mib: float) -> Footprint:
    """A process that is all weights."""
    return footprint(regions=(region("m weights", "load", "anonymous", "process", mib),))


def test_half_the_precision_is_offered_where_it_fits_and_only_there() -> None:
    offered = refusal_of({"workers": 2}, weights_of(2000), 4, header("F32", 2000 * MIB))
    assert "weights in 16 bits" in offered
    assert plan({"web": {**GUNICORN, "workers": 2}}, {"web": weights_of(1000)}, on=host(4 * GIB))
    assert "16 bits" not in refusal_of({"workers": 2}, weights_of(2000), 4, header("F16", 2000 * MIB)), "it is already"
    assert "16 bits" not in refusal_of({"workers": 8}, weights_of(2000), 4, header("F32", 2000 * MIB)), "not enough"


def test_a_smaller_gguf_is_offered() -> None:
    offered = refusal_of({"workers": 1}, weights_of(3500), 4, header("Q8_0", 3500 * MIB, "gguf"))
    assert "4-bit file" in offered
    assert plan({"web": {**GUNICORN, "workers": 1}}, {"web": weights_of(3500 * 18 / 34)}, on=host(4 * GIB))


def test_fewer_replicas_that_are_offered_fit() -> None:
    services = {"web": {**GUNICORN, "workers": 1, "replicas": 4}, "proxy": {"server": "nginx", "to": "web"}}
    with pytest.raises(DoesNotFit) as caught:
        plan(services, {"web": HEAVY}, on=host(6 * GIB))
    found = re.search(r"replicas: (\d) for web", caught.value.hint or "")
    assert found is not None
    fewer = int(found.group(1))
    services["web"]["replicas"] = fewer
    assert plan(services, {"web": HEAVY}, on=host(6 * GIB))
    services["web"]["replicas"] = fewer + 1
    with pytest.raises(DoesNotFit):
        plan(services, {"web": HEAVY}, on=host(6 * GIB))


def test_a_larger_share_of_this_host_is_offered_where_it_would_do() -> None:
    budget = {"memory_share": 0.5}
    with pytest.raises(DoesNotFit) as caught:
        plan({"web": {**GUNICORN, "workers": 2}}, {"web": HEAVY}, on=host(8 * GIB), budget=budget)
    found = re.search(r"budget.memory_share: (0\.\d+) of this host", caught.value.hint or "")
    assert found is not None
    share = float(found.group(1))
    assert plan({"web": {**GUNICORN, "workers": 2}}, {"web": HEAVY}, on=host(8 * GIB), budget={"memory_share": share})
    with pytest.raises(DoesNotFit):
        plan(
            {"web": {**GUNICORN, "workers": 2}}, {"web": HEAVY}, on=host(8 * GIB), budget={"memory_share": share - 0.02}
        )


def test_the_machine_that_is_named_would_do() -> None:
    error = refusal({"workers": 4}, HEAVY, 8)
    named_ = re.search(r"\((\d+) GiB as it is sold, like (\S+?)( or|\))", error.hint or "")
    assert named_ is not None
    facts = named(named_.group(2))
    assert facts is not None
    assert plan({"web": {**GUNICORN, "workers": 4}}, {"web": HEAVY}, on=facts)

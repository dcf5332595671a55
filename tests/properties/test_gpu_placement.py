"""Placement on cards: none over-filled, every worker has a card, more device memory never means fewer workers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint
from tests.planner.gpu_build import with_cards

from mlpack.errors import DoesNotFit, SpecError
from mlpack.footprint import Footprint
from mlpack.host import GpuFacts, GpuSetFacts, HostFacts, MigFacts
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.planner.gpu_cards import Card
from mlpack.planner.gpu_place import Demand, place
from mlpack.spec import Spec
from mlpack.units import GIB, MIB

pytestmark = pytest.mark.slow

SIZES = st.integers(1 * GIB, 90 * GIB)


@st.composite
def gpu(draw: st.DrawFn, number: int) -> GpuFacts:
    """A card, sometimes split, sometimes for one program only."""
    uuid = f"GPU-{number}"
    split = draw(st.integers(0, 4)) == 4
    total = draw(SIZES)
    parts = tuple(
        MigFacts(name="1g.x", uuid=f"MIG-{number}-{slot}", memory_total_bytes=total // 8)
        for slot in range(draw(st.integers(0, 4)) if split else 0)
    )
    mode: Any = draw(st.sampled_from(["default", "default", "exclusive-process", "prohibited"]))
    return GpuFacts(
        vendor="nvidia",
        name="NVIDIA Test",
        uuid=uuid,
        memory_total_bytes=total,
        compute_capability=draw(st.sampled_from([(7, 5), (8, 6), (9, 0)])),
        mig=split,
        instances=parts,
        compute_mode="default" if split else mode,
    )


@st.composite
def hosts(draw: st.DrawFn) -> HostFacts:
    """Up to five cards."""
    return with_cards(GpuSetFacts(devices=tuple(draw(gpu(number)) for number in range(draw(st.integers(1, 5))))))


def on_card(draw: st.DrawFn, name: str) -> Footprint:
    """Context, weights and requests on a card, over a small process on the host."""
    measured = draw(st.booleans())

    def part(label: str, stage: Any, per: Any, most: int) -> Any:
        size = draw(st.integers(0, most)) * MIB
        values = {"name": label, "stage": stage, "kind": "gpu", "per": per, "bytes": size, "because": "drawn"}
        source = "measured" if measured else "estimated"
        return {**values, "lower_bytes": size if measured else draw(st.integers(0, size)), "source": source}

    regions = [
        part("context", "import", "process", 600),
        part("weights", "load", "process", 30_000),
        part("activations", "serve", "request", 3_000),
    ]
    made = footprint(name, source="measured" if measured else "estimated").model_dump()
    return Footprint.model_validate({**made, "regions": [*made["regions"], *regions]})


System = tuple[Spec, dict[str, Footprint]]


@st.composite
def systems(draw: st.DrawFn) -> System:
    """Up to three services with models, on cards by the user's word or by `auto`."""
    services: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from([GUNICORN, GUNICORN, UVICORN, CELERY]))
        service = {**kind, "device": draw(st.sampled_from(["gpu", "auto"]))}
        if "health" in kind:
            service["port"] = 8000 + number
        if draw(st.integers(0, 3)) == 3:
            service["workers"] = draw(st.integers(1, 6))
        services[f"s{number}"] = service
    models = {"m": {"path": "weights/m"}}
    whole = Spec.model_validate({"name": "shop", "models": models, "services": services})
    return whole, {name: on_card(draw, name) for name in services}


def planned(on: HostFacts, system: System) -> Plan | None:
    """The plan, or None for a refusal with reason and way out."""
    whole, prints = system
    try:
        return make_plan(
            on,
            whole,
            prints,
            profiles=("prod",),
            origins={},
            runtimes=dict.fromkeys(prints, ("torch",)),
            on_cards=prints,
        )
    except (DoesNotFit, SpecError) as error:
        assert error.what
        assert error.hint
        assert error.where
        return None


@settings(max_examples=150, deadline=None)
@given(hosts(), systems())
def test_no_card_is_over_filled_and_every_worker_has_one(on: HostFacts, system: System) -> None:
    plan = planned(on, system)
    if plan is None:
        return
    used: dict[str, int] = {}
    processes: dict[str, int] = {}
    rooms: dict[str, int] = {}
    for name, service in plan.services.items():
        assert (service.gpu is not None) == (service.device == "gpu")
        if service.gpu is None:
            assert any(finding.where == f"services.{name}.device" for finding in plan.findings)
            continue
        assert not service.preload.value
        assert len(service.gpu.seats) == service.workers.value
        assert set(service.gpu.seats) == set(range(len(service.gpu.cards)))
        for seat in service.gpu.seats:
            card = service.gpu.cards[seat]
            used[card.key] = used.get(card.key, 0) + service.gpu.need_bytes.value
            processes[card.key] = processes.get(card.key, 0) + 1
            rooms[card.key] = card.usable_bytes
            assert card.usable_bytes < card.total_bytes
        assert service.gpu.lower_bytes <= service.gpu.need_bytes.value
    assert {row.card: row.used_bytes for row in plan.budget.cards} == used
    for key, count in used.items():
        assert count <= rooms[key]
    modes = {facts.uuid: facts.compute_mode for facts in on.gpus.devices}
    for key, count in processes.items():
        assert modes.get(key) != "prohibited"
        assert modes.get(key) != "exclusive-process" or count == 1


@settings(max_examples=150, deadline=None)
@given(hosts(), systems(), st.integers(0, 4), st.integers(1, 40 * GIB))
def test_more_memory_on_a_card_never_means_fewer_workers(on: HostFacts, system: System, which: int, more: int) -> None:
    devices = list(on.gpus.devices)
    grown = devices[which % len(devices)]
    devices[which % len(devices)] = grown.model_copy(
        update={
            "memory_total_bytes": (grown.memory_total_bytes or 0) + more,
            "instances": tuple(
                one.model_copy(update={"memory_total_bytes": (one.memory_total_bytes or 0) + more // 8})
                for one in grown.instances
            ),
        }
    )
    only_gpu = {name: service.model_copy(update={"device": "gpu"}) for name, service in system[0].services.items()}
    whole = (system[0].model_copy(update={"services": only_gpu}), system[1])
    small = planned(on, whole)
    big = planned(on.model_copy(update={"gpus": GpuSetFacts(devices=tuple(devices))}), whole)
    if small is None:
        return
    assert big is not None, "it fitted into less"
    unsure = {finding.where for finding in small.findings if finding.code == "estimate-may-not-fit"}
    if not unsure:  # a clipped estimate takes what there is, and then asks for its whole where there is more
        assert workers(big) >= workers(small)


def workers(plan: Plan) -> int:
    """Workers of all services."""
    return sum(service.workers.value for service in plan.services.values())


@settings(max_examples=40, deadline=None)
@given(hosts(), systems())
def test_same_input_same_seats(on: HostFacts, system: System) -> None:
    first, second = planned(on, system), planned(on, system)
    assert (first and first.to_json()) == (second and second.to_json())


def test_a_first_fit_rule_would_fail_here() -> None:
    """Needs of 4, 3, 3 and 2 on two cards of 6: by size, first fit, 4 + 2 and 3 + 3 is found by trying all."""
    cards = tuple(_card(number, 6) for number in range(2))
    demands = [Demand(size, 1, 1, 1, frozenset({0, 1})) for size in (3, 4, 2, 3)]
    seats = place(demands, cards)
    assert seats is not None
    three, four, two, other = (taken[0] for taken in seats)
    assert (three, four) == (other, two)
    assert three != four


def _card(number: int, room: int) -> Card:
    from mlpack.plan import CardPlan

    return Card(CardPlan(index=number, name="c", uuid=str(number), total_bytes=room + 1, usable_bytes=room))

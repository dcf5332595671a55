"""Machines that are not here: what is typed becomes facts, and what cannot be a machine is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.planner.build import engine, host

from mlpack.errors import UsageError
from mlpack.host import HostFacts
from mlpack.planner.machines import (
    cards,
    catalogue,
    fitting_machines,
    machine,
    named,
    nearest_machines,
    resized,
    seen_bytes,
    sold_bytes,
)
from mlpack.units import GIB, MIB

HOSTS = Path(__file__).parent.parent / "hosts"


def test_a_machine_shows_less_memory_than_it_is_sold_with_but_no_less_than_a_real_one() -> None:
    real = HostFacts.model_validate_json((HOSTS / "a10g.json").read_text(encoding="utf-8"))
    facts = machine(16 * GIB, 4, "a10g")
    assert 0.99 < facts.memory_bytes / real.memory_bytes <= 1, "g5.xlarge is sold with 16 GiB"
    assert facts.cores == real.cores
    card, real_card = facts.gpus.devices[0], real.gpus.devices[0]
    assert (card.memory_total_bytes, card.compute_capability) == (
        real_card.memory_total_bytes,
        real_card.compute_capability,
    )


def test_a_part_of_a_core_is_a_quota() -> None:
    facts = machine(GIB, 1.5)
    assert facts.cores == 1.5
    assert facts.cpu.affinity_cores == 2


@pytest.mark.parametrize("ram", [MIB, GIB, 16 * GIB, 1000 * GIB + 1])
def test_memory_to_buy_is_the_reverse_of_memory_seen(ram: int) -> None:
    assert seen_bytes(sold_bytes(ram)) >= ram - 1
    assert abs(sold_bytes(seen_bytes(ram)) - ram) <= 2


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("a10g", "NVIDIA A10G", 1),
        ("2xl4", "NVIDIA L4", 2),
        ("4 x T4", "Tesla T4", 4),
        ("NVIDIA A100-80GB", "NVIDIA A100-SXM4-80GB", 1),
    ],
)
def test_cards_by_the_names_people_use(text: str, name: str, count: int) -> None:
    assert [card.name for card in cards(text).devices] == [name] * count


@pytest.mark.parametrize("text", ["a1000", "", "0xl4", "17xl4", "x", "2x", "\n", "l4,l4"])
def test_no_such_card(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        cards(text)
    assert caught.value.where == "--gpu"
    assert "a10g" in (caught.value.hint or "")


@pytest.mark.parametrize(("ram", "cores"), [(0, 4), (-GIB, 4), (GIB, 0), (GIB, -1), (GIB, float("nan")), (GIB, 1e9)])
def test_no_machine(ram: int, cores: float) -> None:
    with pytest.raises(UsageError):
        machine(ram, cores)


def test_every_entry_of_the_catalogue_is_a_machine_with_a_source() -> None:
    for name, entry in catalogue().machines.items():
        facts = named(name)
        assert facts is not None
        assert facts.cores == entry.cores
        assert len(facts.gpus.devices) == len(entry.cards)
        assert facts.memory_bytes == seen_bytes(entry.memory_gib * GIB)
        assert entry.source
    assert all(card.source for card in catalogue().cards.values())


def test_names_are_read_as_clouds_write_them() -> None:
    assert named("Standard_D4s_v5") == named("d4s-v5") == machine(16 * GIB, 4)
    assert named("m7i-xlarge") == named("m7i.xlarge")
    assert named("m7.xlarge") is None
    assert "m7i.xlarge" in nearest_machines("m7.xlarge")


def test_the_smallest_machine_that_is_enough() -> None:
    names = fitting_machines(9 * GIB, 2)
    sizes = {(catalogue().machines[name].memory_gib, catalogue().machines[name].cores) for name in names}
    assert sizes == {(16, 4)}
    assert fitting_machines(10_000 * GIB, 2) == ()
    for small, big in pairwise([1, 5, 9, 17, 33]):
        memory = [catalogue().machines[fitting_machines(gib * GIB, 1)[0]].memory_gib for gib in (small, big)]
        assert memory == sorted(memory)


def test_a_machine_with_other_numbers_keeps_the_rest() -> None:
    small = host(8 * GIB, 2, 1.5).model_copy(update={"engine": engine(4 * GIB, 2, virtual_machine=True)})
    bigger = resized(small, 32 * GIB)
    assert bigger.memory_bytes == seen_bytes(32 * GIB)
    assert bigger.engine is not None
    assert bigger.engine.memory_bytes == seen_bytes(32 * GIB)
    assert bigger.cores == 1.5
    more = resized(small, cores=8)
    assert more.cores == 8
    assert more.memory == small.memory
    assert resized(small) == small

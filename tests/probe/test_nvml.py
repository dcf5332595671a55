"""NVIDIA's real binding against a compiled stand-in of its library, in a child: answers, and failures in the middle."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.nvml_standin import ask, build
from tests.planner.build import host

from mlpack.probe.gpus import parse_gpus
from mlpack.probe.table import rows
from mlpack.process import run
from mlpack.units import GIB


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled stand-in."""
    return build(tmp_path_factory.mktemp("nvml"))


def test_one_card(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "a10g.txt"), ())
    assert (facts.driver, facts.cuda) == ("570.133.20", "12.8")
    (card,) = facts.devices
    assert (card.vendor, card.name, card.uuid) == ("nvidia", "NVIDIA A10G", "GPU-6f1c1c1e-0000-4000-8000-00000000a10a")
    assert (card.memory_total_bytes, card.memory_free_bytes) == (24146608128, 23592960000)
    assert (card.compute_capability, card.mig, card.processes) == ((8, 6), False, 2)
    assert (card.minor, card.ecc, card.persistence, card.compute_mode) == (0, True, True, "default")
    assert (card.mps_clients, card.nvlink, card.instances) == (1, (), ())
    assert (card.pci, card.paths) == ("00000000:00:1E.0", ())
    assert unread == ()  # "MIG: Not Supported" is an answer


def test_eight_cards_one_of_them_split(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "h100x8.txt"), ())
    assert [card.mig for card in facts.devices] == [False] * 7 + [True]
    assert [card.uuid for card in facts.devices] == [f"GPU-00000000-0000-4000-8000-00000000000{n}" for n in range(8)]
    assert {card.memory_total_bytes for card in facts.devices} == {85520809984}
    assert [card.nvlink for card in facts.devices] == [tuple(n for n in range(8) if n != own) for own in range(8)]
    near, far = ("NODE",) * 4, ("SYS",) * 4
    assert [card.paths for card in facts.devices] == [
        tuple("X" if n == own else word for n, word in enumerate((*near, *far) if own < 4 else (*far, *near)))
        for own in range(8)
    ]
    assert [card.pci for card in facts.devices][:2] == ["00000000:1b:00.0", "00000000:43:00.0"]
    assert [(one.name, one.memory_total_bytes) for one in facts.devices[7].instances] == [
        ("3g.40gb", 42412802048),
        ("1g.10gb", 10200547328),
    ]
    assert unread == ()


def test_a_split_card_with_empty_places(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "a100-mig.txt"), ())
    (card,) = facts.devices
    assert (card.mig, card.compute_capability) == (True, (8, 0))
    assert [(one.name, one.uuid) for one in card.instances] == [
        ("3g.20gb", "MIG-a1000000-0000-4000-8000-000000000000"),
        ("2g.10gb", "MIG-a1000000-0000-4000-8000-000000000001"),
        ("1g.5gb", "MIG-a1000000-0000-4000-8000-000000000004"),
        ("1g.5gb", "MIG-a1000000-0000-4000-8000-000000000005"),  # it has no name: from slices and memory
    ]
    assert card.instances[1].memory_free_bytes == 10468982784 - 14680064
    assert unread == ()


def test_h200(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "h200.txt"), ())
    (card,) = facts.devices
    assert (facts.cuda, card.name, card.memory_total_bytes) == ("13.0", "NVIDIA H200", 150754820096)
    assert (card.compute_capability, unread) == ((9, 0), ())


def test_a_laptop_says_not_supported_to_much(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "laptop.txt"), ())
    (card,) = facts.devices
    assert (card.memory_total_bytes, card.memory_free_bytes, card.processes) == (6442450944, 5217714176, 1)
    assert (card.ecc, card.mps_clients, card.persistence, card.mig) == (None, None, False, False)
    assert unread == ()


def test_an_old_driver_and_a_card_for_one_program(library: Path) -> None:
    facts, _ = parse_gpus(ask(library, "old-driver.txt"), ())
    assert (facts.driver, facts.cuda) == ("470.256.02", "11.4")
    assert facts.devices[0].compute_mode == "exclusive-process"


@pytest.mark.parametrize(
    ("answers", "message"),
    [("not-loaded.txt", "Driver Not Loaded"), ("mismatch.txt", "version mismatch")],
)
def test_failing_start_is_told_in_its_own_words(library: Path, answers: str, message: str) -> None:
    facts, unread = parse_gpus(ask(library, answers), ())
    assert facts.devices == ()
    assert [item.name for item in unread] == ["gpus"]
    assert message in unread[0].reason


def test_library_without_cards_is_no_failure(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "no-cards.txt"), ())
    assert (facts.devices, unread) == ((), ())


def test_failures_in_the_middle_cost_their_own_fact(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "lost.txt"), ())
    first, last = facts.devices  # the second one is lost
    assert (facts.cuda, first.memory_total_bytes, first.compute_capability) == (None, None, (8, 9))
    assert (first.paths, last.paths) == (("X", "?"), ("?", "X"))  # nothing told; the lost card has no place
    assert (last.uuid, last.memory_total_bytes) == ("GPU-00000000-0000-4000-8000-0000000000a2", 24152899584)
    reasons = {item.name: item.reason for item in unread}
    assert set(reasons) == {
        "gpus.cuda",
        "gpus.devices.0.memory_total_bytes",
        "gpus.devices.0.mig",
        "gpus.devices.0.processes",
        "gpus.devices.1",
    }
    assert "GPU is lost" in reasons["gpus.devices.1"]
    assert "Insufficient Permissions" in reasons["gpus.devices.0.mig"]


def test_all_of_it_is_shown(library: Path) -> None:
    """A card's row in `mlpack probe`: from the stand-in's answers through the real binding to the words."""

    def shown(answers: str) -> list[str]:
        facts = host(8 * GIB, 4).model_copy(update={"gpus": parse_gpus(ask(library, answers), ())[0]})
        return [value for section, name, value in rows(facts) if section == "accelerators" and name.isdecimal()]

    (a10g,) = shown("a10g.txt")
    for word in ("2 processes on it", "1 of them through MPS", "ECC on", "persistence on", "PCI 00000000:00:1E.0"):
        assert word in a10g
    assert "named GPU-6f1c1c1e-0000-4000-8000-00000000a10a" in a10g
    eight = shown("h100x8.txt")
    assert "NVLink to 1, 2, 3, 4, 5, 6, 7; paths to all: X NODE NODE NODE SYS SYS SYS SYS" in eight[0]
    assert "split by MIG: 3g.40gb (MIG-00000000-0000-4000-8000-000000000070), 1g.10gb (MIG-" in eight[7]
    assert "compute mode exclusive-process" in shown("old-driver.txt")[0]


def test_without_the_library_there_is_nothing_to_ask(tmp_path: Path) -> None:
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    lines = "import sys; from mlpack.probe.nvml import read_nvml, library_loads\nif library_loads(): sys.exit(7)\n"
    check = "a = read_nvml(); assert a == type(a)(), a; assert 'pynvml' not in sys.modules"
    done = run((sys.executable, "-c", lines + check), env=env, check=False, timeout_s=60)
    if done.code == 7:
        pytest.skip("this machine has NVML itself")
    assert done.code == 0, done.stderr

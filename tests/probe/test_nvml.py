"""NVIDIA's real binding against a compiled stand-in of its library, in a child: answers, and failures in the middle."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mlpack.probe.gpus import parse_gpus
from mlpack.probe.nvml import LIBRARY, NvmlAnswer
from mlpack.process import run

SOURCES = Path(__file__).parents[1] / "nvml"
ASK = "import sys; from mlpack.probe.nvml import read_nvml; import json; print(json.dumps(read_nvml()))"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled stand-in."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a C compiler (cc)", pytrace=False)
        pytest.skip("no C compiler (cc) to build the stand-in of NVML")
    folder = tmp_path_factory.mktemp("nvml")
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    run((compiler, *flags, "-o", str(folder / LIBRARY), str(SOURCES / "nvml.c")), timeout_s=60)
    return folder


def ask(library: Path, answers: str) -> NvmlAnswer:
    """What ``read_nvml`` finds where the loader finds the stand-in; a child, as a library cannot be unloaded."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(library), "NVML_ANSWERS": str(SOURCES / answers)}
    said = run((sys.executable, "-c", ASK), env=env, timeout_s=60).stdout
    return TypeAdapter(NvmlAnswer).validate_json(said)


def test_one_card(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "a10g.txt"), ())
    assert (facts.driver, facts.cuda) == ("570.133.20", "12.8")
    (card,) = facts.devices
    assert (card.vendor, card.name, card.uuid) == ("nvidia", "NVIDIA A10G", "GPU-6f1c1c1e-0000-4000-8000-00000000a10a")
    assert (card.memory_total_bytes, card.memory_free_bytes) == (24146608128, 23592960000)
    assert (card.compute_capability, card.mig, card.processes) == ((8, 6), False, 2)
    assert unread == ()  # "MIG: Not Supported" is an answer


def test_eight_cards_one_of_them_split(library: Path) -> None:
    facts, unread = parse_gpus(ask(library, "h100x8.txt"), ())
    assert [card.mig for card in facts.devices] == [False] * 7 + [True]
    assert [card.uuid for card in facts.devices] == [f"GPU-00000000-0000-4000-8000-00000000000{n}" for n in range(8)]
    assert {card.memory_total_bytes for card in facts.devices} == {85520809984}
    assert unread == ()


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


def test_without_the_library_there_is_nothing_to_ask(tmp_path: Path) -> None:
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    lines = "import sys; from mlpack.probe.nvml import read_nvml, _library_loads\nif _library_loads(): sys.exit(7)\n"
    check = "a = read_nvml(); assert a == type(a)(), a; assert 'pynvml' not in sys.modules"
    done = run((sys.executable, "-c", lines + check), env=env, check=False, timeout_s=60)
    if done.code == 7:
        pytest.skip("this machine has NVML itself")
    assert done.code == 0, done.stderr

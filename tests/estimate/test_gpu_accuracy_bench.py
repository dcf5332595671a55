"""bench/gpu_accuracy without a card: its predictions are current, its sizes are right, and it measures nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "gpu_accuracy" / "bench.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_accuracy_bench", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_predictions_are_what_mlpack_says_today(bench: ModuleType) -> None:
    """If not: python bench/gpu_accuracy/bench.py --predict, and the measurement of a card is no longer of this."""
    assert json.loads(bench.PREDICTIONS.read_text()) == bench.predictions()


def test_three_models(bench: ModuleType) -> None:
    assert set(bench.MODELS) == {"encoder", "decoder", "unet"} == set(bench.PARAMETERS)


def test_the_unet_has_as_many_parameters_as_it_says(bench: ModuleType) -> None:
    """By hand: convolutions of 3 x 3, transposed ones of 2 x 2, biases."""
    sizes = [64 * 2**level for level in range(5)]

    def double(ins: int, outs: int) -> int:
        return 9 * ins * outs + outs + 9 * outs * outs + outs

    down = sum(double(ins, outs) for ins, outs in zip([1, *sizes], sizes, strict=False))
    up = sum(4 * 2 * size * size + size + double(2 * size, size) for size in sizes[:4])
    assert down + up + 64 * 2 + 2 == bench.PARAMETERS["unet"]


def test_without_a_card_it_says_so_and_measures_nothing(bench: ModuleType) -> None:
    if bench.used_bytes() is not None:
        pytest.skip("this machine has a card")
    before = bench.RESULT.exists()
    done = subprocess.run([sys.executable, str(BENCH)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert "no NVIDIA card" in done.stderr
    assert bench.RESULT.exists() == before

"""Each variable that mlpack renders takes effect, shown in a running process of the example's own environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlpack.process import Completed, run

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedding"
PYTHON = EXAMPLE / ".venv" / "bin" / "python"
THREADS = """
import os
def threads():
    return len(os.listdir("/proc/self/task"))
"""


def ran(code: str, **variables: str) -> Completed:
    """``code`` in the example's Python with nothing but ``variables`` set."""
    if not PYTHON.exists():
        reason = "the example has no environment: scripts/app-env.sh examples/embedding"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return run([str(PYTHON), "-c", code], env={"PATH": os.environ["PATH"], **variables}, timeout_s=120)


def number(code: str, **variables: str) -> int:
    """The number that ``code`` prints last."""
    return int(ran(code, **variables).stdout.split()[-1])


TORCH = "import torch; print(torch.get_num_threads())"


def test_omp_num_threads_is_torchs_team() -> None:
    assert number(TORCH, OMP_NUM_THREADS="1") == 1
    assert number(TORCH, OMP_NUM_THREADS="2") == 2


def test_mkl_num_threads_overrides_omp_so_both_must_be_alike() -> None:
    assert number(TORCH, OMP_NUM_THREADS="2", MKL_NUM_THREADS="1") == 1


def test_one_thread_means_that_no_team_is_started() -> None:
    code = THREADS + "import torch; before = threads(); x = torch.ones(2000, 2000); x @ x; print(threads() - before)"
    assert number(code, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1") == 0
    assert number(code, OMP_NUM_THREADS="3", MKL_NUM_THREADS="3") > 0


def test_omp_wait_policy_is_read_by_the_library_that_torch_brings() -> None:
    shown = ran("import torch", OMP_WAIT_POLICY="PASSIVE", OMP_DISPLAY_ENV="TRUE").stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in ran("import torch", OMP_WAIT_POLICY="ACTIVE", OMP_DISPLAY_ENV="TRUE").stderr


def test_openblas_num_threads_bounds_numpy() -> None:
    code = THREADS + "import numpy as n; x = n.ones((1500, 1500)); x @ x; print(threads())"
    assert number(code, OPENBLAS_NUM_THREADS="1") == 1
    assert number(code, OPENBLAS_NUM_THREADS="2") == 2


TOKENIZE = (
    THREADS
    + """
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
t = Tokenizer(WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
before = threads()
t.encode_batch(["a b a"] * 2000)
print(threads() - before)
"""
)


def test_rayon_num_threads_is_the_tokenizers_pool() -> None:
    assert number(TOKENIZE, TOKENIZERS_PARALLELISM="true", RAYON_NUM_THREADS="1") == 1
    assert number(TOKENIZE, TOKENIZERS_PARALLELISM="true", RAYON_NUM_THREADS="3") == 3


def test_tokenizers_parallelism_false_starts_no_pool() -> None:
    assert number(TOKENIZE, TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="3") == 0


def test_hf_hub_offline_is_believed() -> None:
    code = "from huggingface_hub import constants; print(int(constants.HF_HUB_OFFLINE))"
    assert number(code, HF_HUB_OFFLINE="1") == 1
    assert number(code) == 0

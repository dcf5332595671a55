"""TensorFlow's thread variables take effect, seen in the threads of a process in the example's own Python."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mlpack.process import run
from mlpack.runtimes import tensorflow

EXAMPLE = Path(__file__).parents[2] / "examples" / "segmentation"
PYTHON = EXAMPLE / ".venv" / "bin" / "python"
POOLS = """
import collections, json, os
import tensorflow as tf
def named():
    return collections.Counter(open(f"/proc/self/task/{t}/comm").read().strip() for t in os.listdir("/proc/self/task"))
before = named()
values = tf.random.normal((600, 600))
tf.function(lambda x: (x @ x, x + x, x * x))(values)
after = named()
own = open("/proc/self/comm").read().strip()  # threads of the pool within an operation keep the program's name
print(json.dumps({"within": after[own] - before[own], "between": after["tf_Compute"]}))
"""


def pools(**variables: str) -> dict[str, int]:
    """Threads that TensorFlow starts for its two pools under nothing but ``variables``."""
    if not PYTHON.exists():
        reason = "the example has no environment: scripts/app-env.sh examples/segmentation"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    quiet = {"PATH": os.environ["PATH"], "TF_CPP_MIN_LOG_LEVEL": "3"}
    found: dict[str, int] = json.loads(run([str(PYTHON), "-c", POOLS], env={**quiet, **variables}).stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_rendered_sets_both_pools(threads: int) -> None:
    rendered = tensorflow.environment(threads, shared_cores=True)
    found = pools(**{name: made.value for name, made in rendered.items()})
    assert found == {"within": threads, "between": int(rendered["TF_NUM_INTEROP_THREADS"].value)}


@pytest.mark.slow
def test_each_pool_follows_its_own_variable() -> None:
    assert pools(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="3") == {"within": 1, "between": 3}

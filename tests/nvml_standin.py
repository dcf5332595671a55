"""NVIDIA's real binding against a compiled stand-in of its library, in a child: answers from tests/nvml/*.txt."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mlpack.host import GpuSetFacts
from mlpack.probe.gpus import parse_gpus
from mlpack.probe.nvml import LIBRARY, NvmlAnswer
from mlpack.process import run

SOURCES = Path(__file__).parent / "nvml"
ASK = "import sys; from mlpack.probe.nvml import read_nvml; import json; print(json.dumps(read_nvml()))"


def build(folder: Path) -> Path:
    """Compile the stand-in into ``folder``; skips where there is no compiler, fails where CI has none."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a C compiler (cc)", pytrace=False)
        pytest.skip("no C compiler (cc) to build the stand-in of NVML")
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    run((compiler, *flags, "-o", str(folder / LIBRARY), str(SOURCES / "nvml.c")), timeout_s=60)
    return folder


def environment(library: Path, answers: str) -> dict[str, str]:
    """Under which a child's loader finds the stand-in, which answers from ``answers``."""
    return {**os.environ, "LD_LIBRARY_PATH": str(library), "NVML_ANSWERS": str(SOURCES / answers)}


def ask(library: Path, answers: str) -> NvmlAnswer:
    """What ``read_nvml`` finds where the loader finds the stand-in; a child, as a library cannot be unloaded."""
    said = run((sys.executable, "-c", ASK), env=environment(library, answers), timeout_s=60).stdout
    return TypeAdapter(NvmlAnswer).validate_json(said)


@cache
def cards(library: Path, answers: str) -> GpuSetFacts:
    """The cards of the machine in ``answers``, as probe reads them."""
    return parse_gpus(ask(library, answers), ())[0]

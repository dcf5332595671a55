"""A short run of the fuzzer over every format: no crash, no hang, little memory, nothing outside (bench/fuzz: long)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.formats.fuzzing import seeds

from mlpack.formats import FORMATS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
INPUTS = 500


def test_every_format_is_fuzzed() -> None:
    assert set(seeds()) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused(name: str) -> None:
    argv = [sys.executable, "-m", "tests.formats.fuzzing", name, str(INPUTS)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["inputs"] == INPUTS
    assert found["wrong"] == {}, found["examples"]
    assert found["read"] and found["refused"], "the damage is too great or too small to prove anything"

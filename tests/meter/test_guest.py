"""cgroup v2 for real: mlpack's own meter runs in a small virtual machine, against memory that is known.

This machine's kernel may have version 1; the guest's has version 2 alone (scripts/guest.sh: under a minute, no KVM).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpack.process import run
from mlpack.units import MIB

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parent.parent.parent
GUEST = ROOT / "scripts" / "guest.sh"
MODULES = ("__init__", "errors", "units", "noun")
CLOSE = 3 * MIB


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What run.py told from inside the guest."""
    if os.getuid() != 0 or platform.machine() != "x86_64" or not Path("/etc/debian_version").exists():
        if os.environ.get("CI"):
            pytest.fail("CI must be able to boot the guest: root on Debian, x86-64")
        pytest.skip("the guest needs root on Debian, x86-64")
    run([str(GUEST), "install"], timeout_s=300)
    folder = tmp_path_factory.mktemp("guest")
    shutil.copy(Path(__file__).parent / "guest" / "run.py", folder)
    package = folder / "mlpack"
    shutil.copytree(ROOT / "src" / "mlpack" / "meter", package / "meter", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__", "errors", "units"):
        shutil.copy(ROOT / "src" / "mlpack" / f"{name}.py", package)
    environ = {**os.environ, "MLPACK_GUEST_PYTHON": sys.executable, "MLPACK_GUEST_TIMEOUT_S": "300"}
    done = run([str(GUEST), "run", str(folder)], env=environ, timeout_s=400, check=False)
    assert done.code == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def test_what_a_process_holds_is_what_its_group_counts(said: dict[str, Any]) -> None:
    counted, process = said["unlimited"], said["process"]
    assert said["found"] == "/sys/fs/cgroup/measured"
    assert abs(counted["anonymous_bytes"] - process["anonymous_bytes"]) < MIB
    assert 20 * MIB < process["anonymous_bytes"] < 30 * MIB
    assert counted["shm_bytes"] == process["shm_bytes"] == 10 * MIB
    assert 48 * MIB <= process["mapped_bytes"] < 48 * MIB + 20 * MIB  # and Python's own libraries
    assert counted["limit_bytes"] is None
    assert 0 < counted["kernel_bytes"] < 5 * MIB
    assert counted["refault_bytes"] == 0
    assert counted["oom_kills"] == 0
    quick = said["quick"]
    assert abs(quick["anonymous_bytes"] - counted["anonymous_bytes"]) < MIB
    assert quick["shm_bytes"] == counted["shm_bytes"]


def test_thrashing_is_counted_in_bytes_read_back(said: dict[str, Any]) -> None:
    squeezed = said["squeezed"]
    assert squeezed["limit_bytes"] == 60 * MIB
    assert squeezed["usage_bytes"] <= 60 * MIB
    assert squeezed["refault_bytes"] > 48 * MIB  # 48 MiB looked at three times, with room for about 25
    assert squeezed["oom_kills"] == 0
    assert abs(squeezed["anonymous_bytes"] - said["unlimited"]["anonymous_bytes"]) < MIB


def test_a_kill_is_counted_and_the_group_goes(said: dict[str, Any]) -> None:
    assert said["answer_to_more"] == ""
    assert said["exit"] == -9
    assert said["killed"]["oom_kills"] == 1
    assert said["killed"]["anonymous_bytes"] < MIB
    assert said["gone"]


def test_the_page_cache_is_emptied_or_it_is_said(said: dict[str, Any]) -> None:
    assert said["evicted"] == {"cold": True, "resident_bytes": 0}
    assert "weights.bin: another process maps it" in said["warm_because"]

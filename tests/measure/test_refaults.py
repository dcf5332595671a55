"""Pages that had to be read again while requests ran are counted, kept and shown: memory was short meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.commands.estimate import how_measured
from mlpack.footprint import Footprint
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
from mlpack.meter.cgroup_own import own_cgroup
from mlpack.units import MIB

pytestmark = pytest.mark.slow
FILE_BYTES = 64 * MIB
ROOM_BYTES = 32 * MIB
APP = """
import os
from pathlib import Path
from mlpack.meter.cgroup_find import find_cgroup

count = 0

def squeezed():
    found = find_cgroup(Path("/proc"), os.getpid())
    limit = found.memory / ("memory.limit_in_bytes" if found.version == 1 else "memory.max")
    usage = found.memory / ("memory.usage_in_bytes" if found.version == 1 else "memory.current")
    before = limit.read_text()
    limit.write_text(str(int(usage.read_text()) + ROOM))
    for _ in range(2):
        with open("data.bin", "rb", buffering=0) as stream:
            while stream.read(1 << 20):
                pass
    limit.write_text("-1" if found.version == 1 else "max")

def app(environ, start_response):
    global count
    count += 1
    if SQUEEZE and count == 2:
        squeezed()
    start_response("200 OK", [])
    return [b"fine"]
"""


@pytest.fixture
def own_group() -> None:
    """Skips where this user cannot have a group of its own, in which alone refaults can be counted."""
    with own_cgroup(Path("/proc"), f"mlpack-test-{os.getpid()}") as (dirs, why):
        if dirs is None:
            pytest.skip(f"refaults cannot be counted here: {why}")


@pytest.mark.usefixtures("own_group")
@pytest.mark.parametrize("squeeze", [True, False])
def test_what_was_read_again_is_kept_and_shown(subject: Callable[..., Subject], squeeze: bool) -> None:
    """64 MiB read twice with room for 32: what the second pass reads had been evicted by the first."""
    text = APP.replace("ROOM", str(ROOM_BYTES)).replace("SQUEEZE", str(squeeze))
    made = subject(text)
    with (made.root / "data.bin").open("wb") as stream:
        stream.write(os.urandom(FILE_BYTES))
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # else its pages stay this process's
    footprint = measure(made).footprint
    assert footprint.refault_bytes is not None
    if squeeze:
        assert FILE_BYTES // 2 < footprint.refault_bytes < 16 * FILE_BYTES  # read-ahead may repeat some
    else:
        assert footprint.refault_bytes < MIB
    assert Footprint.model_validate_json(footprint.to_json()) == footprint
    shown = [line for line in how_measured(footprint) if line.startswith("refaults")]
    assert [("read again from disk" in line) for line in shown] == [footprint.refault_bytes > 0]


def test_footprints_without_a_count_stay_as_they_were_written() -> None:
    plain = Footprint(service="web", source="measured", regions=(), load_s=1, request_s=1)
    assert "refault" not in plain.to_json()
    assert not any("refaults" in line for line in how_measured(plain))
    assert "refaults: none while requests ran" in how_measured(plain.model_copy(update={"refault_bytes": 0}))

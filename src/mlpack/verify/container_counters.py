"""Reads a control group's counters from inside the container, where the engine runs in a VM or on another machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from mlpack.errors import MlpackError
from mlpack.launchers import engine
from mlpack.meter.cgroup import Counters, parse_v1, parse_v2

V2_FILES = ("memory.stat", "memory.current", "memory.events", "memory.max", "cpu.stat")
V1_FILES = ("memory.stat", "memory.usage_in_bytes", "memory.oom_control", "memory.limit_in_bytes")
V1_KMEM = "memory.kmem.usage_in_bytes"
ROOT = "/sys/fs/cgroup"
PAGE_BYTES = 4096
"""Of the machines that Docker Desktop's VM and common servers are; 16 KiB kernels (Asahi) report refaults low."""
_HEAD = re.compile(r"^==> (\S+) <==$", re.MULTILINE)


def container_counters(container: str, environ: Mapping[str, str]) -> Counters | None:
    """The counters now; None when the container ended or its image has no `head`."""
    paths = [f"{ROOT}/{name}" for name in V2_FILES]
    paths += [f"{ROOT}/memory/{name}" for name in (*V1_FILES, V1_KMEM)] + [f"{ROOT}/cpu/cpu.stat"]
    try:
        answer = engine.docker(("exec", container, "head", "-v", "-n", "1000", *paths), environ)
    except MlpackError:
        return None
    return parse_heads(answer.stdout)  # some of the files never exist, so that its exit code says nothing


def parse_heads(text: str) -> Counters | None:
    """Counters from `head -v` of the files of both layouts; None where neither is whole."""
    pieces = _HEAD.split(text)
    files = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    v2 = {name: files.get(f"{ROOT}/{name}", "") for name in V2_FILES}
    v1 = {name: files.get(f"{ROOT}/memory/{name}", "") for name in V1_FILES}
    if all(v2.values()):
        stat, current, events, limit, cpu = v2.values()
        return parse_v2(stat=stat, current=current, events=events, limit=limit, cpu=cpu, page_bytes=PAGE_BYTES)
    if all(v1.values()):
        stat, usage, oom, limit = v1.values()
        kmem = files.get(str(PurePosixPath(ROOT, "memory", V1_KMEM)), "").strip()
        cpu = files.get(f"{ROOT}/cpu/cpu.stat", "")
        return parse_v1(stat=stat, usage=usage, kmem=kmem, oom=oom, limit=limit, cpu=cpu, page_bytes=PAGE_BYTES)
    return None

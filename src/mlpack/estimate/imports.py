"""Import regions: interpreter, libraries, server and kernel of one process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlpack.footprint import Region
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.base import RuntimeFacts
from mlpack.runtimes.measured import ImportCost, measured
from mlpack.spec import RuntimeName
from mlpack.units import KIB, MIB

if TYPE_CHECKING:
    from mlpack.servers.base import ServerFacts

KERNEL_BYTES = 2560 * KIB
"""Page tables, stacks and sockets of one process: 2.5 MiB (docs/memory.md, rule)."""
OBJECT_STORE_BYTES = 128 * MIB
"""Ray's object store: its least is 75 MiB, the default is 30 % of the host; images and answers are small. A guess."""
BESIDE_BYTES, BESIDE_LARGE_BYTES, LARGE_BYTES = 8 * MIB, 3 * MIB, 64 * MIB
"""What gunicorn and uvicorn add to a process that imports a runtime, which has most of their standard library already:
gunicorn 7.5 MiB beside ONNX Runtime and llama.cpp, and 1.7 to 2.1 beside torch, transformers, TensorFlow, scikit-learn,
LightGBM and XGBoost (more than 64 MiB each), uvicorn 1.6 to 2.4; alone 10.2 (bench/footprint/imports.py)."""
BESIDE_SERVERS = frozenset({"gunicorn", "uvicorn"})
VERSION_FACTOR = 0.8
"""Lower bound of what importing a library takes in another version or with fewer of its modules."""


def in_play(names: Iterable[RuntimeName]) -> tuple[RuntimeFacts, ...]:
    """The runtimes of one process, each once, in the order of RUNTIMES; transformers brings its torch."""
    wanted = set(names)
    if "transformers" in wanted:
        wanted.discard("torch")
    return tuple(RUNTIMES[name].FACTS for name in RUNTIMES if name in wanted)


def runtime_regions(runtimes: tuple[RuntimeFacts, ...], label: str = "") -> tuple[Region, Region]:
    """Interpreter and libraries, anonymous and mapped. ``label`` tells actors of one service apart.

    Two runtimes share interpreter and NumPy: together they need the sum of each beyond bare Python, or less; surely
    they need the larger of the two.
    """
    bare = measured().bare_python
    anonymous = bare.anonymous_bytes + sum(f.import_anonymous_bytes - bare.anonymous_bytes for f in runtimes)
    mapped = bare.mapped_bytes + sum(f.import_mapped_bytes - bare.mapped_bytes for f in runtimes)
    surely = max((f.import_anonymous_bytes for f in runtimes), default=bare.anonymous_bytes)
    surely_mapped = max((f.import_mapped_lower_bytes for f in runtimes), default=bare.mapped_lower_bytes)
    because = _because(runtimes, bare)
    return (
        Region(
            name=f"{label}interpreter and libraries",
            stage="import",
            kind="anonymous",
            per="process",
            bytes=anonymous,
            lower_bytes=round(VERSION_FACTOR * surely),
            source="estimated",
            because=because,
        ),
        Region(
            name=f"{label}shared libraries",
            stage="import",
            kind="mapped",
            per="process",
            bytes=mapped,
            lower_bytes=round(VERSION_FACTOR * surely_mapped),
            source="estimated",
            because=because,
        ),
    )


def server_regions(facts: ServerFacts, runtimes: tuple[RuntimeFacts, ...] = ()) -> tuple[Region, ...]:
    """What the server program itself adds to a process (the whole of it for programs without an app), beside
    ``runtimes`` where there are some."""
    anonymous = facts.anonymous_bytes
    if runtimes and facts.name in BESIDE_SERVERS:
        large = max(runtime.import_anonymous_bytes for runtime in runtimes) > LARGE_BYTES
        anonymous = min(anonymous, BESIDE_LARGE_BYTES if large else BESIDE_BYTES)
    return (
        _default(facts.name, "anonymous", anonymous, anonymous // 2, facts.source),
        _default(f"{facts.name} libraries", "mapped", facts.mapped_bytes, facts.mapped_bytes // 2, facts.source),
    )


def object_store_region() -> Region:
    """Shared memory in which actors hand over their arguments and results."""
    return Region(
        name="object store",
        stage="serve",
        kind="shm",
        per="process",
        bytes=OBJECT_STORE_BYTES,
        lower_bytes=0,
        source="default",
        because="requests and answers on their way between processes; Ray's least is 75 MiB",
    )


def kernel_region(processes: int = 1) -> Region:
    """Kernel memory of ``processes`` processes that always come together."""
    count = KERNEL_BYTES * processes
    return Region(
        name="kernel",
        stage="import",
        kind="kernel",
        per="process",
        bytes=count,
        lower_bytes=count // 2,
        source="default",
        because="page tables, stacks and sockets: 2.5 MiB per process",
    )


def _because(runtimes: tuple[RuntimeFacts, ...], bare: ImportCost) -> str:
    if not runtimes:
        return f"a bare interpreter; {bare.source}"
    if len(runtimes) == 1:
        return f"{runtimes[0].name} imported; {runtimes[0].source}"
    names = " + ".join(facts.name for facts in runtimes)
    return f"{names}: sum of each beyond a bare interpreter; {'; '.join(facts.source for facts in runtimes)}"


def _default(name: str, kind: str, count: int, lower: int, because: str) -> Region:
    return Region.model_validate(
        {
            "name": name,
            "stage": "import",
            "kind": kind,
            "per": "process",
            "bytes": count,
            "lower_bytes": lower,
            "source": "default",
            "because": because,
        }
    )

"""Static estimates beside measurements: never under; at most 1.5 times where all is known, else at most twice.

The measurements are those of docs/memory.md (and three of LightGBM and Keras, made while the runtimes were written),
not outputs of the code under test. MiB throughout.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mlpack.estimate import estimate
from mlpack.footprint import Footprint
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.runtimes.times import WIDE_TIMES
from mlpack.spec import MaxInput, Model, Service, Spec
from mlpack.units import MIB

KNOWN, WIDE = 1.5, 2.0
KERNEL = 2.5
TORCH, ONNX, TENSORFLOW, TREES, LLAMA = 40, 13, 100, 14, 16
"""Mapped pages of libraries that serving needs: those in use, and a quarter of those touched once, with
which no service of bench/footprint read anything twice (docs/memory.md). Weights that are mapped count whole."""
WEIGHTS_110M, WEIGHTS_410M, GGUF = 418, 1564, 94
GUNICORN_MASTER = 20
"""Measured: gunicorn's arbiter, 18.5 MiB."""


def encoder(hidden: int, layers: int) -> Architecture:
    return Architecture(
        family="encoder",
        name="BertModel",
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        layers=layers,
        heads=12,
        vocabulary=30522,
        context_tokens=512,
    )


SMOLLM2 = Architecture(
    family="decoder",
    name="llama",
    hidden_size=576,
    intermediate_size=1536,
    layers=30,
    heads=9,
    kv_heads=3,
    head_dim=64,
    vocabulary=49152,
    context_tokens=8192,
)


def model(
    format_: str,
    megabytes: float,
    *,
    dtype: str | None = None,
    architecture: Architecture | None = None,
    compressed: bool = False,
    files: int = 1,
) -> ModelInfo:
    size = round(megabytes * 1e6)
    each = tuple(ModelFile(path=f"m{i}", size_bytes=size // files, header_sha256="") for i in range(files))
    width = {"F64": 8, "F32": 4, "F16": 2}
    shares = (DtypeShare(dtype=dtype, parameters=size // width[dtype], bytes=size),) if dtype else ()
    mappable = format_ in {"transformers", "safetensors", "gguf", "pytorch"}
    return ModelInfo(
        format=format_, files=each, dtypes=shares, mappable=mappable, compressed=compressed, architecture=architecture
    )


ROWS = MaxInput(shape=(30,), batch=1000)


class Case(NamedTuple):
    """``needed``: anonymous at its peak plus mapped that serving needs, of one process without server or app."""

    info: ModelInfo
    needed: float
    at_most: float
    max_input: MaxInput | None = MaxInput(tokens=128)
    runtime: str | None = None
    requirements: tuple[str, ...] = ()


IMAGE = MaxInput(shape=(512, 512, 3))
BERT = encoder(768, 12)
PROCESSES = {
    "110M by transformers 5": Case(
        model("transformers", 438, dtype="F32", architecture=BERT), 274 + WEIGHTS_110M + TORCH, KNOWN
    ),
    "110M by transformers 5, .bin": Case(
        model("transformers", 438, dtype="F32", architecture=BERT), 274 + WEIGHTS_110M + TORCH, KNOWN
    ),
    "110M by torch.load": Case(
        model("pytorch", 438, dtype="F32"), 1108 + TORCH, WIDE, runtime="torch", requirements=("transformers",)
    ),
    "110M by mmap and assign": Case(
        model("pytorch", 438, dtype="F32"),
        690 + WEIGHTS_110M + TORCH,
        WIDE,
        runtime="torch",
        requirements=("transformers",),
    ),
    "110M stored in fp16, kept": Case(
        model("transformers", 219, dtype="F16", architecture=BERT), 274 + WEIGHTS_110M / 2 + TORCH, WIDE
    ),
    "110M stored in fp16, cast": Case(model("transformers", 219, dtype="F16", architecture=BERT), 692 + TORCH, WIDE),
    "410M by transformers 5": Case(
        model("transformers", 1640, dtype="F32", architecture=encoder(1024, 24)), 277 + WEIGHTS_410M + TORCH, KNOWN
    ),
    "110M by ONNX Runtime, weights inside": Case(model("onnx", 434, dtype="F32"), 658 + ONNX, WIDE),
    "110M by ONNX Runtime, external data": Case(model("onnx", 434, dtype="F32", files=2), 350 + ONNX, WIDE),
    "Keras U-Net, predict()": Case(model("keras", 124, dtype="F32"), 429 + 446 + TENSORFLOW, WIDE, IMAGE),
    "Keras U-Net, called eagerly": Case(model("keras", 124, dtype="F32"), 429 + 970 + TENSORFLOW, WIDE, IMAGE),
    "Keras, one large dense layer": Case(
        model("keras", 302.4, dtype="F32"), 227 + 1962 + TENSORFLOW, WIDE, MaxInput(shape=(1024,))
    ),
    "random forest": Case(model("joblib", 290, dtype="F64"), 640 + TREES, KNOWN, ROWS),
    "random forest, compressed": Case(model("joblib", 50, compressed=True), 640 + TREES, WIDE),
    "LightGBM of 15 MB": Case(model("lightgbm", 15.19), 107 + TREES, KNOWN, ROWS),
    "LightGBM of 63 MB": Case(model("lightgbm", 63.39), 177 + TREES, KNOWN, ROWS),
    "GGUF 135M, context 2048": Case(
        model("gguf", 98.4, architecture=SMOLLM2), 88 + GGUF + LLAMA, KNOWN, MaxInput(tokens=2048)
    ),
    "GGUF 135M, context 8192": Case(
        model("gguf", 98.4, architecture=SMOLLM2), 223 + GGUF + LLAMA, KNOWN, MaxInput(tokens=8192)
    ),
}


def footprint(case: Case, server: str = "gunicorn") -> Footprint:
    wanted = Model.model_validate({"path": "m", "runtime": case.runtime, "max_input": case.max_input})
    web = Service.model_validate({"server": server, "app": "app:app", "models": ("m",)})
    spec = Spec(name="x", models={"m": wanted}, services={"web": web})
    return estimate(spec, {"m": case.info}, {"web": case.requirements} if case.requirements else None)["web"]


def own(found: Footprint) -> Footprint:
    """The footprint without server and app, as the measurements had none."""
    others = {"gunicorn", "gunicorn libraries", "app", "app libraries"}
    return found.model_copy(update={"regions": tuple(r for r in found.regions if r.name not in others)})


def needed_mib(found: Footprint, workers: int = 1, concurrency: int = 1, *, lower: bool = False) -> float:
    """The larger of start-up and serving: anonymous times workers, mapped once, kernel (docs/memory.md, rule)."""
    if lower:
        found = found.model_copy(
            update={"regions": tuple(r.model_copy(update={"bytes": r.lower_bytes}) for r in found.regions)}
        )
    anonymous = found.sum_bytes("anonymous", "import", "load")
    load = anonymous + found.sum_bytes("anonymous", "load", per="moment")
    request = found.sum_bytes("anonymous", "serve", per="request")
    serve = anonymous + found.sum_bytes("anonymous", "serve") + concurrency * request
    mapped = found.sum_bytes("mapped", "import", "load", "serve")
    return (max(load, serve) * workers + mapped) / MIB + KERNEL * workers


@pytest.mark.parametrize("name", PROCESSES)
def test_one_process(name: str) -> None:
    case = PROCESSES[name]
    found = footprint(case)
    ratio = needed_mib(own(found)) / (case.needed + KERNEL)
    assert 1.0 <= ratio <= case.at_most, f"{name}: {ratio:.2f} of what was measured"


@pytest.mark.parametrize("name", PROCESSES)
def test_the_lower_bound_is_below_what_was_measured(name: str) -> None:
    case = PROCESSES[name]
    assert needed_mib(own(footprint(case)), lower=True) <= case.needed + KERNEL


@pytest.mark.parametrize("name", PROCESSES)
def test_what_is_known_says_so_and_what_is_wide_says_why(name: str) -> None:
    case = PROCESSES[name]
    reasons = set(footprint(case).widened) - {WIDE_TIMES}
    assert bool(reasons) == (case.at_most == WIDE), reasons


class Served(NamedTuple):
    """A gunicorn service; ``boundary``: below which it thrashed."""

    info: ModelInfo
    max_input: MaxInput
    workers: int
    concurrency: int
    boundary: float


SERVED = {
    "MiniLM x 2": Served(
        model("transformers", 90.87, dtype="F32", architecture=encoder(384, 6)),
        MaxInput(tokens=128, batch=4),
        2,
        1,
        820,
    ),
    "110M mapped x 2": Served(
        model("transformers", 438, dtype="F32", architecture=BERT), MaxInput(tokens=128), 2, 1, 1077
    ),
    "410M mapped, 4 threads": Served(
        model("transformers", 1640, dtype="F32", architecture=encoder(1024, 24)), MaxInput(tokens=128), 1, 4, 1940
    ),
}


@pytest.mark.parametrize("name", SERVED)
def test_a_service_at_its_boundary(name: str) -> None:
    case = SERVED[name]
    found = footprint(Case(case.info, 0, KNOWN, case.max_input))
    ratio = (needed_mib(found, case.workers, case.concurrency) + GUNICORN_MASTER) / case.boundary
    assert 1.0 <= ratio <= KNOWN, f"{name}: {ratio:.2f} of the boundary"

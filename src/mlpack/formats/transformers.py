"""A transformers folder: config.json says what the model is, the weights files beside it how large."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.formats import pytorch, safetensors
from mlpack.formats.base import FormatFacts
from mlpack.formats.config_json import architecture_of, stated_dtype
from mlpack.formats.reading import failed, json_file
from mlpack.model import ModelInfo
from mlpack.spec import LoadDtype

FACTS = FormatFacts("transformers", (), folder=True)
WEIGHTS = (  # in the order in which ``from_pretrained`` looks for them
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
DTYPE_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
LOAD_NAMES: dict[str, LoadDtype] = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
PACKED_DTYPES = frozenset({"I32", "I64", "U8", "I8", "U32"})
WHOLE_BITS = 8
"""A quantised weight of so many bits has a stored number to itself."""


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a folder has no first bytes
    """A folder with config.json. Keras and others have one too, but not beside weights of these names."""
    return (path / "config.json").is_file() and any((path / name).is_file() for name in WEIGHTS)


def read(path: Path) -> ModelInfo:
    """Configuration and weights together."""
    config, file = json_file(path / "config.json")
    weights = next((path / name for name in WEIGHTS if (path / name).exists()), None)
    if weights is None:
        raise failed(path, f"has a config.json but no weights: none of {', '.join(WEIGHTS)}", "fetch the weights")
    found = _weights(weights)
    stated, unknown = stated_dtype(config), list(found.unknown)
    floats = [share for share in found.dtypes if share.dtype in DTYPE_NAMES.values()]
    stored = max(floats, key=lambda share: share.bytes).dtype if floats else None
    other = stated is not None and stored is not None and DTYPE_NAMES.get(stated, stored) != stored
    if other:
        unknown.append(f"the load dtype (config.json says {stated}, the weights are stored as {stored})")
    packing = _packing(config, found)
    if packing is not None:
        unknown.append(f"the number of parameters (packed by {packing}: a stored number holds several)")
    return ModelInfo(
        format=FACTS.name,
        files=(*found.files, file),
        dtypes=found.dtypes,
        mappable=found.mappable,
        load_dtype=LOAD_NAMES.get(stated or "") if other else None,
        packing=packing,
        architecture=architecture_of(config) or found.architecture,
        unknown=tuple(unknown),
    )


def _packing(config: Mapping[str, Any], found: ModelInfo) -> str | None:
    """The method that packed weights into whole numbers, as the configuration names it; None where none did."""
    stated = config.get("quantization_config")
    if not isinstance(stated, Mapping) or not any(share.dtype in PACKED_DTYPES for share in found.dtypes):
        return None
    method, bits = stated.get("quant_method"), stated.get("bits")
    if type(bits) is int and bits >= WHOLE_BITS:
        return None
    named = method[:32] if isinstance(method, str) else "an unnamed method"
    return f"{named}, {bits} bits" if type(bits) is int else named


def _weights(path: Path) -> ModelInfo:
    if ".safetensors" in path.name:
        return safetensors.read(path)
    return pytorch.read(path)

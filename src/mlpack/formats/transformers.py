"""A transformers folder: config.json says what the model is, the weights files beside it how large."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats import pytorch, safetensors
from mlpack.formats.base import FormatFacts
from mlpack.formats.config_json import architecture_of, stated_dtype
from mlpack.formats.reading import failed, json_file
from mlpack.model import ModelInfo

FACTS = FormatFacts("transformers", (), folder=True)
WEIGHTS = (  # in the order in which ``from_pretrained`` looks for them
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
DTYPE_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}


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
    unknown = found.unknown
    dtype = stated_dtype(config)
    stored = found.dtypes[0].dtype if found.dtypes else None
    if dtype is not None and stored is not None and DTYPE_NAMES.get(dtype, stored) != stored:
        unknown = (*unknown, f"the load dtype (config.json says {dtype}, the weights are stored as {stored})")
    return ModelInfo(
        format=FACTS.name,
        files=(*found.files, file),
        dtypes=found.dtypes,
        mappable=found.mappable,
        architecture=architecture_of(config) or found.architecture,
        unknown=unknown,
    )


def _weights(path: Path) -> ModelInfo:
    if ".safetensors" in path.name:
        return safetensors.read(path)
    return pytorch.read(path)

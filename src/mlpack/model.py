"""ModelInfo: what a model file says about itself in its header, without running or unpickling anything."""

from __future__ import annotations

from typing import Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from mlpack.noun import Noun
from mlpack.spec import LoadDtype


class ModelFile(Noun):
    """One file of a model. ``header_sha256`` covers the part that describes the tensors, not the weights."""

    path: str
    """Relative to the project (or to the folder that was asked for)."""
    size_bytes: int
    header_sha256: str


class DtypeShare(Noun):
    """How many parameters are stored in one dtype, and in how many bytes."""

    dtype: str
    parameters: int
    bytes: int


class Architecture(Noun):
    """What activations and KV cache are computed from; from config.json or GGUF metadata."""

    family: Literal["encoder", "decoder", "encoder-decoder", "convolutional", "other"]
    name: str
    """BertModel, llama, ... as the model's own metadata says."""
    hidden_size: int | None = None
    intermediate_size: int | None = None
    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    vocabulary: int | None = None
    context_tokens: int | None = None
    sliding_window: int | None = None
    """Tokens that a layer with a window looks back; None where every layer sees all."""
    sliding_layers: int | None = None
    """Layers with that window, of ``layers``."""
    latent_dim: int | None = None
    """Values per token and layer of a compressed key/value cache (multi-head latent attention); None: none is."""
    stateful_layers: int | None = None
    """Layers that keep a state of fixed size (state space, linear attention) in place of keys and values."""
    position_bytes: int | None = None
    """Of a convolutional net: bytes of the largest set of layer outputs alive at once, for each position (pixel) of one
    input in float32, by its graph."""
    kept_position_bytes: int | None = None
    """The same of all its layers' outputs together, for frameworks that let go of nothing before the end."""

    @model_serializer(mode="wrap")
    def _without_untold(self, whole: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Locks of models without a graph stay as they were written."""
        found: dict[str, object] = whole(self)
        for name in ("position_bytes", "kept_position_bytes"):
            if found.get(name) is None:
                found.pop(name, None)
        return found


class ModelInfo(Noun):
    """A model as its header describes it. ``unknown`` names what the header does not tell."""

    schema_version: Literal[1] = 1
    format: str
    """safetensors, gguf, keras, ... : the variant in formats/ that read it."""
    files: tuple[ModelFile, ...]
    dtypes: tuple[DtypeShare, ...] = ()
    mappable: bool = False
    """The stored bytes can be used in place through mmap (safetensors, GGUF, PyTorch archives; nothing compressed)."""
    compressed: bool = False
    unpacked_bytes: int | None = None
    """Of a compressed file: bytes inside; None where it is none, or they were not counted."""
    extrapolated: bool = False
    """``unpacked_bytes`` was counted in a first part, and the rest taken to be as dense."""
    load_dtype: LoadDtype | None = None
    """What the model's own configuration says it is loaded in, where that is not what is stored."""
    packing: str | None = None
    """How several weights share one stored number: "gptq, 4 bits". None where each has its own."""
    architecture: Architecture | None = None
    unknown: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _without_uncounted(self, whole: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Locks of models that are not compressed, cast or packed stay as they were written."""
        found: dict[str, object] = whole(self)
        for name in ("unpacked_bytes", "extrapolated", "load_dtype", "packing"):
            if not found.get(name):
                found.pop(name, None)
        return found

    @property
    def parameters(self) -> int | None:
        """Total parameter count; None where the format does not tell. Of packed weights the stored numbers."""
        return sum(share.parameters for share in self.dtypes) if self.dtypes else None

    @property
    def weights_bytes(self) -> int:
        """Bytes of the stored weights; the files' size where the format does not tell."""
        return sum(share.bytes for share in self.dtypes) if self.dtypes else self.size_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of all files on disk."""
        return sum(file.size_bytes for file in self.files)

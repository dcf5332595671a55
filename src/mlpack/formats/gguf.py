"""GGUF (llama.cpp, Ollama): one file, or the parts of a split one. Everything is in the header."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import merged
from mlpack.formats.gguf_header import Header, TensorInfo, Value, read_header
from mlpack.formats.gguf_types import TENSOR_TYPES
from mlpack.formats.reading import described, failed, opened
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo

FACTS = FormatFacts("gguf", (".gguf",))
PART = re.compile(r"^(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf$")
MOST_PARTS = 1000
ENCODERS = frozenset({"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "modern-bert", "neo-bert", "t5encoder"})
SMALLER_CACHE = ("attention.sliding_window", "ssm.state_size", "attention.kv_lora_rank")
"""Metadata of models that keep less than a full key/value cache in every layer."""
WINDOW_EVERY = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4, "olmo2": 4, "afmoe": 4}
"""Of so many layers one sees all, the others have the window, unless the file has a pattern of its own (llama.cpp's
load_swa_pattern and src/models). Of other models llama.cpp may keep the full cache, as of Phi 3: a bound for all."""


class Part(NamedTuple):
    """One file of a model."""

    file: ModelFile
    header: Header
    shares: tuple[DtypeShare, ...]
    untold: frozenset[int]


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the mark is enough
    """The magic number."""
    return head.startswith(b"GGUF")


def read(path: Path) -> ModelInfo:
    """The whole model; of a split one any part may be named, and all must be there."""
    parts = [_part(part) for part in _paths(path)]
    first = parts[0].header
    untold = frozenset[int]().union(*(part.untold for part in parts))
    unknown = [f"bytes of tensors of type {kind}" for kind in sorted(untold)]
    architecture = architecture_of(first.values, first.counts)
    if architecture is None:
        unknown.append("architecture (general.architecture is missing)")
    elif (
        architecture.sliding_layers is None
        and architecture.latent_dim is None
        and any(f"{architecture.name}.{key}" in first.values for key in SMALLER_CACHE)
    ):
        unknown.append("key/value cache (not every layer keeps all of it: full size is an upper bound)")
    return ModelInfo(
        format=FACTS.name,
        files=tuple(part.file for part in parts),
        dtypes=merged(share for part in parts for share in part.shares),
        mappable=True,
        architecture=architecture,
        unknown=tuple(unknown),
    )


def architecture_of(values: Mapping[str, Value], counts: Mapping[str, int]) -> Architecture | None:
    """Sizes from the metadata; of sizes that vary by layer the largest. None without ``general.architecture``."""
    name = values.get("general.architecture")
    if not isinstance(name, str):
        return None

    def number(key: str) -> int | None:
        value = values.get(f"{name}.{key}")
        if isinstance(value, list):
            value = max(value, default=0)
        return value if type(value) is int and 0 < value < 2**40 else None

    hidden, heads = number("embedding_length"), number("attention.head_count")
    key_length, value_length = number("attention.key_length"), number("attention.value_length")
    head_dim = hidden // heads if hidden and heads else None
    if key_length:
        head_dim = -(-(key_length + (value_length or key_length)) // 2)
    layers = number("block_count")
    window = number("attention.sliding_window") if name in WINDOW_EVERY else None
    rank = number("attention.kv_lora_rank") if number("attention.key_length_mla") else None
    return Architecture(
        family="encoder" if name in ENCODERS else "decoder",
        name=name,
        hidden_size=hidden,
        intermediate_size=number("feed_forward_length"),
        layers=layers,
        heads=heads,
        kv_heads=number("attention.head_count_kv") or heads,
        head_dim=head_dim,
        vocabulary=number("vocab_size") or counts.get("tokenizer.ggml.tokens"),
        context_tokens=number("context_length"),
        sliding_window=window,
        sliding_layers=_windowed(values, name, layers) if window and layers else None,
        latent_dim=rank + (number("rope.dimension_count") or 0) if rank else None,
    )


def _windowed(values: Mapping[str, Value], name: str, layers: int) -> int:
    """Layers with a window: by the file's list or period, else by the period that llama.cpp knows."""
    pattern = values.get(f"{name}.attention.sliding_window_pattern")
    if isinstance(pattern, list):
        return sum(map(bool, pattern[:layers]))
    every = pattern if type(pattern) is int and pattern >= 0 else WINDOW_EVERY[name]
    return layers - layers // every if every else layers


def _paths(path: Path) -> list[Path]:
    """All parts of a split model, in order; the file itself where it is whole."""
    match = PART.match(path.name)
    if match is None:
        return [path]
    count = int(match["parts"])
    if not 0 < count <= MOST_PARTS:
        raise failed(path, f"claims to be one of {count} parts")
    paths = [path.with_name(f"{match['stem']}-{part:05d}-of-{match['parts']}.gguf") for part in range(1, count + 1)]
    absent = [part.name for part in paths if not part.exists()]
    if absent:
        raise failed(path, f"is part of a split model, and {absent[0]} is not there", "fetch all of its parts")
    return paths


def _part(path: Path) -> Part:
    with opened(path) as (file, size):
        header = read_header(file, size, path)
    shares = []
    untold = set()
    position = 0
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
        count = _bytes(path, tensor)
        if count is None:
            untold.add(tensor.type)
            continue
        if tensor.offset < position:
            raise failed(path, f"tensor {tensor.name!r} overlaps another at byte {tensor.offset:,}", "it is damaged")
        position = tensor.offset + count
        if header.data_start + position > size:
            end = header.data_start + position
            what = f"is truncated: tensor {tensor.name!r} ends at byte {end:,}, the file has {size:,}"
            raise failed(path, what, "fetch it again")
        shares.append(DtypeShare(dtype=TENSOR_TYPES[tensor.type][0], parameters=tensor.parameters, bytes=count))
    return Part(described(path, size, header.sha256), header, tuple(shares), frozenset(untold))


def _bytes(path: Path, tensor: TensorInfo) -> int | None:
    """Bytes of one tensor; None where its type is newer than this table."""
    known = TENSOR_TYPES.get(tensor.type)
    if known is None:
        return None
    name, per_block, block_bytes = known
    if tensor.parameters % per_block:
        raise failed(
            path, f"tensor {tensor.name!r} of {tensor.parameters:,} is not whole blocks of {name}", "it is damaged"
        )
    return tensor.parameters // per_block * block_bytes

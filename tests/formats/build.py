"""Small model files, written byte by byte as their formats say: not by the code under test, nor by a framework."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
BITS = {"I32": 32, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "F8_E4M3": 8}
Shapes = Mapping[str, tuple[str, tuple[int, ...]]]


def safetensors_header(tensors: Shapes) -> dict[str, Any]:
    """A header of ``tensors`` (name -> dtype and shape), laid out one after another."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, (dtype, shape) in tensors.items():
        end = position + prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        position = end
    return header


def safetensors_bytes(header: Mapping[str, Any] | bytes, data_bytes: int | None = None) -> bytes:
    """A whole file: length, header, and ``data_bytes`` zeros (as many as the last tensor needs by default)."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    if data_bytes is None:
        places = json.loads(text)
        data_bytes = max((t["data_offsets"][1] for n, t in places.items() if n != "__metadata__"), default=0)
    return len(text).to_bytes(8, "little") + text + bytes(data_bytes)


def gguf_text(value: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf_value(value: Any) -> bytes:
    """Type and value of a metadata entry: str, int (u32), float (f32), bool, and lists of str, bool or int."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_text(value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(gguf_text(item) for item in value)
    if value and isinstance(value[0], bool):
        return struct.pack("<IIQ", 9, 7, len(value)) + bytes(value)
    return struct.pack("<IIQ", 9, 5, len(value)) + b"".join(struct.pack("<i", item) for item in value)


def gguf_bytes(
    metadata: Mapping[str, Any],
    tensors: Mapping[str, tuple[int, tuple[int, ...], int]],
    *,
    version: int = 3,
    data: bool = True,
) -> bytes:
    """A GGUF file. ``tensors``: name -> ggml type, shape, bytes; each aligned to 32 as llama.cpp does."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(gguf_text(key) + gguf_value(value) for key, value in metadata.items())
    position = 0
    for name, (kind, shape, count) in tensors.items():
        head += gguf_text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        head += struct.pack("<IQ", kind, position)
        position += -(-count // 32) * 32
    head += bytes(-len(head) % 32)
    return head + bytes(position if data else 0)


SMOLLM2 = {  # SmolLM2-135M-Instruct's own metadata, without its vocabulary
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.context_length": 8192,
    "llama.embedding_length": 576,
    "llama.feed_forward_length": 1536,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.vocab_size": 49152,
    "tokenizer.ggml.tokens": ["<a>", "<b>", "ü"],
}


def small_gguf() -> bytes:
    """SmolLM2's metadata over two small tensors: Q4_1 (64 x 32) and F32 (64)."""
    return gguf_bytes(SMOLLM2, {"blk.0.w": (3, (64, 32), 64 * 32 // 32 * 20), "blk.0.n": (0, (64,), 256)})


def zip_bytes(entries: Mapping[str, bytes]) -> bytes:
    """A zip archive, uncompressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def torch_bytes() -> bytes:
    """What ``torch.save`` writes, as far as its directory goes."""
    return zip_bytes({"archive/data.pkl": b"\x80\x02}q\x00.", "archive/data/0": bytes(64), "archive/version": b"3\n"})


def keras_bytes() -> bytes:
    """What Keras 3 writes, as far as its directory goes."""
    return zip_bytes({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": bytes(64)})


def lightgbm_bytes(trees: tuple[int, ...] = (60, 40)) -> bytes:
    """A LightGBM text with trees of the given sizes in bytes."""
    sizes = " ".join(str(size) for size in trees)
    head = f"tree\nversion=v4\nnum_class=1\nmax_feature_idx=3\ntree_sizes={sizes}\n\n"
    return head.encode() + b"".join(b"T" * size for size in trees) + b"end of trees\n"

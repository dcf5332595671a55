"""ONNX: a protocol buffer with the weights inside, or beside it in a file that it names. Size only, so far."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, head_of, size_only
from mlpack.model import ModelInfo

FACTS = FormatFacts("onnx", (".onnx",))
FIRST_FIELDS = frozenset(
    number << 3 | wire for number, wire in ((1, 0), (2, 2), (3, 2), (4, 2), (5, 0), (6, 2), (7, 2))
)
"""Keys of ModelProto's first fields: ir_version, producer, domain, versions, doc_string, graph. A weak mark."""
EXTERNAL_SUFFIXES = (".data", "_data")
"""What exporters append to the file's name for external data."""


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - protocol buffers have no mark
    """Never: a protocol buffer has no mark, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """The sizes of the file and of external data of the customary names."""
    if head_of(path)[0] not in FIRST_FIELDS:
        raise failed(path, "is not an ONNX model: it does not begin like one", "check what was downloaded")
    beside = (path.with_name(path.name + suffix) for suffix in EXTERNAL_SUFFIXES)
    return size_only(FACTS.name, [path, *(file for file in beside if file.is_file())], "the ONNX graph")

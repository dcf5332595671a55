"""ONNX: a protocol buffer with the weights inside, or beside it in files that it names."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.live_set import with_layers
from mlpack.formats.onnx_graph import External, Graph, Reader
from mlpack.formats.protobuf import Walker
from mlpack.formats.reading import data_file, described, failed, head_of, is_there
from mlpack.formats.window import window
from mlpack.model import ModelFile, ModelInfo

FACTS = FormatFacts("onnx", (".onnx",))
FIRST_FIELDS = frozenset(
    number << 3 | wire for number, wire in ((1, 0), (2, 2), (3, 2), (4, 2), (5, 0), (6, 2), (7, 2), (8, 2))
)
"""Keys of ModelProto's first fields: ir_version, producer, domain, versions, doc_string, graph, opset. A weak mark."""
NO_WEIGHTS = "parameters and dtypes (the graph carries no tensors)"


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - protocol buffers have no mark
    """Never: a protocol buffer has no mark, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """The graph's tensors, those of subgraphs, functions and constants included; data files must be there and whole."""
    if head_of(path)[0] not in FIRST_FIELDS:
        raise failed(path, "is not an ONNX model: it does not begin like one", "check what was downloaded")
    with window(path) as whole:
        reader = Reader(Walker(whole))
        graph, net = reader.model(), reader.layers.net
        own = described(path, whole.size, graph.sha256)
    beside = [_data(path, name, needed) for name, needed in sorted(graph.external.items())]
    dtypes = merged(graph.shares())
    return ModelInfo(
        format=FACTS.name,
        files=(own, *beside),
        dtypes=dtypes,
        mappable=False,  # ONNX Runtime copies and repacks what it reads (docs/memory.md)
        architecture=with_layers(by_shapes(dtypes, graph.convolved), net, kept=False),
        unknown=_unknown(graph),
    )


def _unknown(graph: Graph) -> tuple[str, ...]:
    found = [] if graph.parameters else [NO_WEIGHTS]
    if graph.strange:
        found.append(f"{graph.strange:,} tensors of types newer than mlpack")
    return tuple(found)


def _data(path: Path, name: str, needed: External) -> ModelFile:
    """The data file ``name`` beside the graph. Raises ModelFileError where it is absent or too short."""
    beside = path.parent / name
    if not is_there(beside):
        what = f"keeps {needed.tensors:,} tensors in {name!r}, which is not there"
        raise failed(path, what, "fetch the data file too: it belongs beside the graph")
    found = data_file(beside)
    if found.size_bytes < needed.end:
        what = f"is truncated: tensors of {path.name} reach to byte {needed.end:,}, it has {found.size_bytes:,}"
        raise failed(beside, what, "fetch it again")
    return found

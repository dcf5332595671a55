"""TensorFlow's SavedModel: a folder with a graph and its variables, or with the weights as constants in the graph."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.checkpoint import info_of
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.protobuf import Walker
from mlpack.formats.reading import failed, sized_file
from mlpack.formats.tf_bundle import read_bundle
from mlpack.formats.tf_graph import read_constants
from mlpack.formats.tf_layers import position_bytes
from mlpack.formats.window import window
from mlpack.model import Architecture, ModelInfo

FACTS = FormatFacts("savedmodel", (), folder=True)


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a folder has no first bytes
    """A folder with saved_model.pb."""
    return (path / "saved_model.pb").is_file()


def read(path: Path) -> ModelInfo:
    """Variables by their index. A graph without variables is whole: its constants are counted."""
    graph, variables = sized_file(path / "saved_model.pb"), path / "variables"
    index = variables / "variables.index"
    if index.is_file():
        found = info_of(FACTS.name, read_bundle(index))
        if found.dtypes:
            with window(path / "saved_model.pb") as whole:
                known = _with_layers(found.architecture, Walker(whole))
            return found.model_copy(update={"files": (graph, *found.files), "architecture": known})
    elif variables.is_dir() and any(variables.iterdir()):
        raise failed(path, "has a variables folder without variables.index", "fetch the model again")
    with window(path / "saved_model.pb") as whole:
        constants = read_constants(Walker(whole))
        dtypes = merged(constants.shares)
        known = _with_layers(by_shapes(dtypes, constants.convolved), Walker(whole))
    if constants.meta_graphs == 0:
        raise failed(path / "saved_model.pb", "is not a SavedModel: it has no graph", "fetch the model again")
    if constants.variables and not index.is_file():
        raise failed(
            path, "has a graph with variables, but not their values: variables/ is not there", "fetch it again"
        )
    return ModelInfo(
        format=FACTS.name,
        files=(graph,),
        dtypes=dtypes,
        architecture=known,
        unknown=("weights (no variables: constants of the graph are counted)",),
    )


def _with_layers(found: Architecture | None, walker: Walker) -> Architecture | None:
    """With what its operations' outputs take, where the graph tells."""
    each = position_bytes(walker) if found is not None else None
    return found if found is None or each is None else found.model_copy(update={"position_bytes": each})

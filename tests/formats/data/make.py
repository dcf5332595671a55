"""Makes the small real models in ``real/`` with the frameworks, and ``expected.json``: what they say of them.

    python tests/formats/data/make.py torch|tensorflow|sklearn|trees|onnx

Each group runs in any environment that has its framework. The expectations are counted by the frameworks (numel,
nbytes, count_params, dump_model), never by mlpack. Weights are random or zero; nothing is downloaded.
"""

# The frameworks are in none of the environments in which this project is checked:
# mypy: ignore-errors
from __future__ import annotations

import importlib.metadata
import json
import pickle
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REAL = HERE / "real"
EXPECTED = HERE / "expected.json"
Row = tuple[int, int]
NAMES = {"float": "F", "int": "I", "uint": "U", "bfloat": "BF", "complex": "C"}


def short(dtype: str) -> str:
    """float32 -> F32, int64 -> I64, bool -> BOOL, float8_e4m3fn -> F8_E4M3; a record as it is."""
    dtype = dtype.removeprefix("torch.")
    if dtype == "bool":
        return "BOOL"
    if dtype == "float8_e4m3fn":
        return "F8_E4M3"
    letters = dtype.rstrip("0123456789")
    return NAMES[letters] + dtype[len(letters) :] if letters in NAMES else "record"


def total(pairs: list[tuple[str, int, int]]) -> dict[str, Row]:
    """Parameters and bytes by dtype."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for dtype, count, size in pairs:
        counts[short(dtype)] += count
        sizes[short(dtype)] += size
    return {name: (counts[name], sizes[name]) for name in sorted(counts)}


def keep(versions: tuple[str, ...], rows: dict[str, dict[str, Row]]) -> None:
    """Add ``rows`` to the expectations, with the versions that made them."""
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    said = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in versions)
    known |= {name: {"made_with": said, "dtypes": row} for name, row in rows.items()}
    EXPECTED.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def make_torch() -> None:
    """State dicts (views, tied, sparse, 8-bit), the form before 1.6, a whole module, TorchScript, and frozen."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 8, 3)
            self.norm = torch.nn.BatchNorm2d(8)
            self.head = torch.nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.norm(self.convolution(x)).mean((2, 3)))

    def counted(tensors: Any) -> dict[str, Row]:
        return total([(str(t.dtype), t.numel(), t.untyped_storage().nbytes()) for t in tensors])

    net = Net().eval()
    state = net.state_dict()
    mixed = {
        "half": torch.zeros(3, 4, dtype=torch.float16),
        "brain": torch.zeros(7, dtype=torch.bfloat16),
        "eight": torch.zeros(5).to(torch.float8_e4m3fn),
        "unsigned": torch.zeros(3, dtype=torch.uint16),
        "mask": torch.zeros(9, dtype=torch.bool),
        "parameter": torch.nn.Parameter(torch.zeros(2)),
    }
    tied = torch.zeros(6, 4)
    torch.save(state, REAL / "state.pt")
    torch.save(state, REAL / "before-1.6.pth", _use_new_zipfile_serialization=False)
    torch.save(mixed, REAL / "mixed.pt")
    torch.save({"embedding": tied, "head": tied, "row": tied[2:4]}, REAL / "tied.bin")
    torch.save({"model": state, "optimizer": {"lr": 1.0}, "epoch": 3}, REAL / "training.ckpt")
    scripted = torch.jit.trace(net, torch.zeros(1, 3, 8, 8))
    scripted.save(str(REAL / "scripted.pt"))
    torch.jit.freeze(torch.jit.trace(torch.nn.Linear(5, 3).eval(), torch.zeros(1, 5))).save(str(REAL / "frozen.pt"))
    rows = {name: counted(state.values()) for name in ("state.pt", "before-1.6.pth", "training.ckpt", "scripted.pt")}
    rows["mixed.pt"] = counted(mixed.values())
    rows["tied.bin"] = {"F32": (tied.numel() + tied[2:4].numel(), tied.untyped_storage().nbytes())}
    rows["frozen.pt"] = {"F32": (5 * 3 + 3, 4 * (5 * 3 + 3))}
    keep(("torch",), rows)


def make_tensorflow() -> None:
    """Keras files with and without an optimiser's state, a SavedModel, a frozen one, a checkpoint, newer HDF5."""
    import h5py
    import keras
    import numpy as np
    import tensorflow as tf

    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    net.compile("adam", "mse", metrics=["mae"])
    net.fit(np.zeros((4, 8, 8, 3)), np.zeros((4, 3)), verbose=0)
    row = {"F32": (net.count_params(), 4 * net.count_params())}
    for name in ("trained.keras", "trained.h5"):
        net.save(REAL / name)
    net.save_weights(REAL / "trained.weights.h5")
    rows = dict.fromkeys(("trained.keras", "trained.h5", "trained.weights.h5"), row)
    with zipfile.ZipFile(REAL / "trained.keras") as old, zipfile.ZipFile(REAL / "repacked.keras", "w", 8) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))

    class Module(tf.Module):
        def __init__(self) -> None:
            self.weight = tf.Variable(tf.zeros((6, 4)))
            self.scale = tf.Variable(tf.zeros((5,), tf.bfloat16))
            self.steps = tf.Variable(tf.zeros((), tf.int64))

        @tf.function(input_signature=[tf.TensorSpec((1, 6))])
        def call(self, x: Any) -> Any:
            return x @ self.weight

    class Frozen(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 40))])
        def call(self, x: Any) -> Any:
            return x @ tf.constant(np.ones((40, 20), "float32"))

    for name, module in (("savedmodel", Module()), ("frozen-savedmodel", Frozen())):
        shutil.rmtree(REAL / name, ignore_errors=True)
        tf.saved_model.save(module, str(REAL / name), signatures=module.call.get_concrete_function())
        shutil.rmtree(REAL / name / "assets", ignore_errors=True)
    rows["savedmodel"] = {"F32": (24, 96), "BF16": (5, 10), "I64": (1, 8)}
    rows["frozen-savedmodel"] = {"F32": (800, 3200)}
    rows["convolved-savedmodel"] = make_convolved(layers, keras)
    shutil.rmtree(REAL / "checkpoint", ignore_errors=True)
    tf.train.Checkpoint(model=net, optimizer=net.optimizer).save(str(REAL / "checkpoint" / "ckpt"))
    rows["checkpoint"] = row
    arrays = {"a": np.zeros((3, 4), "float16"), "b": np.zeros(5, "int8"), "c": np.zeros((2, 2), "uint64")}
    rows["newer.h5"] = total([(str(a.dtype), a.size, a.nbytes) for a in arrays.values()])
    rows["packed.h5"] = rows["newer.h5"]
    with h5py.File(REAL / "newer.h5", "w", libver="latest") as file:
        for name, array in arrays.items():
            file.create_group("layer_" + name)[name] = array
    with h5py.File(REAL / "packed.h5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=True, compression="gzip")
    with h5py.File(REAL / "dense.h5", "w", libver="latest") as file:
        for number in range(20):
            file[f"weight{number}"] = np.zeros(3, "float32")
    keep(("tensorflow-cpu", "keras", "h5py"), rows)


def make_convolved(layers: Any, keras: Any) -> Row:
    """A SavedModel of convolutions, as Keras exports it: its operations' shapes tell what they take."""
    given = keras.Input((8, 8, 3))
    once = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", strides=2)(given)))
    twice = layers.Add()([layers.DepthwiseConv2D(3, padding="same")(once), once])
    net = keras.Model(given, layers.Dense(4)(layers.GlobalAveragePooling2D()(twice)))
    place = REAL / "convolved-savedmodel"
    shutil.rmtree(place, ignore_errors=True)
    net.export(str(place), format="tf_saved_model", verbose=False)
    for beside in (place / "assets", place / "fingerprint.pb"):
        shutil.rmtree(beside) if beside.is_dir() else beside.unlink(missing_ok=True)
    return {"F32": (net.count_params(), 4 * net.count_params())}


def make_sklearn() -> None:
    """Forests and pipelines by joblib and pickle, compressed and not; arrays of records, text and objects."""
    import io

    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    class Counting(pickle.Pickler):
        """Notes every array that is pickled, once."""

        def __init__(self, file: Any) -> None:
            super().__init__(file, 5)
            self.arrays: list[Any] = []

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, np.ndarray) and not value.dtype.hasobject:
                self.arrays.append(value)
            return NotImplemented

    random = np.random.default_rng(0)
    forest = RandomForestClassifier(4, max_depth=4, random_state=0).fit(random.random((80, 5)), np.arange(80) % 3)
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    words.fit(["a cat and a dog", "the dog runs", "a cow sleeps"], [0, 1, 0])
    rows = {}
    for name, model in (("forest", forest), ("words", words)):
        joblib.dump(model, REAL / f"{name}.joblib")
        for method in ("zlib", "gzip", "bz2", "lzma", "xz", "lz4"):
            if name == "words" or method in {"zlib", "lz4"}:
                joblib.dump(model, REAL / f"{name}.{method}.joblib", compress=(method, 3))
        for protocol in (2, 4, 5):
            (REAL / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
        counting = Counting(io.BytesIO())
        counting.dump(model)
        row = total([(str(array.dtype), array.size, array.nbytes) for array in counting.arrays])
        rows |= {file.name: row for file in REAL.glob(f"{name}.*") if ".lz4" not in file.name}
    odd = {"objects": np.array([{"a": 1}, None], dtype=object), "rows": np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])}
    joblib.dump(odd, REAL / "odd.joblib")
    rows["odd.joblib"] = {"record": (2, 24)}
    keep(("scikit-learn", "joblib", "numpy"), rows)


def make_trees() -> None:
    """LightGBM's text; XGBoost's JSON and UBJSON, of trees and of a linear model."""
    import lightgbm
    import numpy as np
    import xgboost

    random = np.random.default_rng(0)
    x = random.random((300, 5))
    y = 3 * x[:, 0] + x[:, 1]
    boosted = lightgbm.train({"verbose": -1, "num_leaves": 7, "num_threads": 1}, lightgbm.Dataset(x, y), 12)
    boosted.save_model(REAL / "lightgbm.txt")
    leaves = sum(tree["num_leaves"] for tree in boosted.dump_model()["tree_info"])
    numbers = 2 * leaves - boosted.num_trees()
    rows: dict[str, dict[str, Row]] = {"lightgbm.txt": {"F64": (numbers, 8 * numbers)}}
    for booster in ("gbtree", "dart", "gblinear"):
        given = {"max_depth": 3, "booster": booster, "nthread": 1, "verbosity": 0}
        model = xgboost.train(given, xgboost.DMatrix(x, y), 8)
        for suffix in ("json", "ubj"):
            model.save_model(REAL / f"{booster}.{suffix}")
            if booster != "gblinear":
                nodes = sum(text.count("\n") for text in model.get_dump())
                rows[f"{booster}.{suffix}"] = {"F32": (nodes, 4 * nodes)}
    keep(("lightgbm", "xgboost-cpu"), rows)


def make_onnx() -> None:
    """Initialisers inside and beside, of several dtypes; a branch with its own; constants."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "weight")
    half = numpy_helper.from_array(np.zeros((5, 2), "float16"), "half")
    four = helper.make_tensor("four", TensorProto.INT4, (7,), [0] * 7)
    listed = helper.make_tensor("listed", TensorProto.FLOAT, (2, 2), [1.0, 2.0, 3.0, 4.0])
    text = helper.make_tensor("text", TensorProto.STRING, (1,), [b"label"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1,)) for name in ("x", "y")]
    inner = helper.make_graph(
        [helper.make_node("Identity", ["inner"], ["out"])],
        "branch",
        [],
        values[1:],
        [numpy_helper.from_array(np.zeros(6), "inner")],
    )
    nodes = [
        helper.make_node("Constant", [], ["constant"], value=numpy_helper.from_array(np.zeros(3, "int64"))),
        helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], [weight, half, four, listed, text])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx.save(model, REAL / "inside.onnx")
    row = {"F32": (108 + 4, 4 * 112), "F16": (10, 20), "I4": (7, 4), "I64": (3, 24), "F64": (12, 96)}
    beside = helper.make_model(helper.make_graph([], "graph", values[:1], values[1:], [weight, half]))
    onnx.save(beside, REAL / "beside.onnx", save_as_external_data=True, location="beside.bin", size_threshold=0)
    keep(("onnx",), {"inside.onnx": row, "beside.onnx": {"F32": (108, 432), "F16": (10, 20)}})


if __name__ == "__main__":
    REAL.mkdir(exist_ok=True)
    globals()[f"make_{sys.argv[1]}"]()

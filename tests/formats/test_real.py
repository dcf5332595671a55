"""Real files of every framework (data/make.py) and what each framework says of them: parameters, bytes, dtypes."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from tests.formats.build import DATA

from mlpack.errors import ModelFileError
from mlpack.formats import inspect
from mlpack.model import ModelInfo

REAL = DATA / "real"
EXPECTED = json.loads((DATA / "expected.json").read_text())
MODELS = sorted(path for path in REAL.iterdir() if path.name != "beside.bin")  # the data of beside.onnx
BESIDE_WEIGHTS = {"frozen-savedmodel": "I32"}
"""Constants beside the weights: shapes that the graph needs."""


def counted(info: ModelInfo) -> dict[str, list[int]]:
    return {share.dtype: [share.parameters, share.bytes] for share in info.dtypes}


@pytest.mark.parametrize("name", EXPECTED)
def test_parameters_and_bytes_are_what_the_framework_counts(name: str) -> None:
    found = counted(inspect(REAL / name))
    found.pop(BESIDE_WEIGHTS.get(name, ""), None)
    assert found == EXPECTED[name]["dtypes"]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_every_file_is_read_and_what_is_not_told_is_named(path: Path) -> None:
    info = inspect(path)
    assert info.dtypes or any(reason.startswith("parameters and dtypes") for reason in info.unknown)
    assert all(len(file.header_sha256) == 64 for file in info.files)
    assert inspect(path) == info


def test_torch_archives_can_be_mapped_and_older_files_cannot() -> None:
    assert inspect(REAL / "state.pt").mappable
    assert not inspect(REAL / "before-1.6.pth").mappable


def test_tied_tensors_count_once() -> None:
    info = inspect(REAL / "tied.bin")
    assert info.parameters == 6 * 4 + 2 * 4  # the whole, named twice, and a view of two rows
    assert info.weights_bytes == 6 * 4 * 4


def test_a_checkpoint_of_training_says_what_it_holds() -> None:
    for name in ("training.ckpt", "trained.keras", "trained.h5", "checkpoint"):
        assert any("optimiser" in reason for reason in inspect(REAL / name).unknown), name
    assert inspect(REAL / "state.pt").unknown == ()


def test_convolutional_nets_are_seen_by_their_shapes() -> None:
    families = {
        name: inspect(REAL / name).architecture.family  # type: ignore[union-attr]
        for name in ("state.pt", "scripted.pt", "trained.keras", "trained.h5", "checkpoint", "inside.onnx")
    }
    assert set(families.values()) == {"convolutional"}, families


def test_a_saved_graph_of_convolutions_tells_what_its_outputs_take() -> None:
    """make.make_convolved: an image of 3 numbers a position; then, of 4 x 4 positions, 16 channels: three times 4."""
    architecture = inspect(REAL / "convolved-savedmodel").architecture
    assert architecture is not None
    assert architecture.position_bytes == 4 * (3 + 4 + 4)  # the image, and of the sum one side and the other's result
    assert architecture.kept_position_bytes is None


def test_the_class_that_is_pickled_is_named() -> None:
    for name in ("forest.joblib", "forest.zlib.joblib", "forest.2.pkl", "forest.5.pkl"):
        architecture = inspect(REAL / name).architecture
        assert architecture is not None
        assert architecture.name == "sklearn.ensemble._forest.RandomForestClassifier"
    assert inspect(REAL / "words.joblib").architecture.name == "sklearn.pipeline.Pipeline"  # type: ignore[union-attr]


def test_compression_is_named() -> None:
    packings = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")
    assert all(inspect(REAL / f"words.{name}.joblib").compressed for name in packings)
    assert inspect(REAL / "packed.h5").compressed
    assert inspect(REAL / "repacked.keras").compressed
    with zipfile.ZipFile(REAL / "trained.keras") as stored:
        assert inspect(REAL / "repacked.keras").unpacked_bytes == stored.getinfo("model.weights.h5").file_size
    assert "lz4" in inspect(REAL / "forest.lz4.joblib").unknown[0]


def saved_again(kept: Path, target: Path, was: bytes, now: bytes) -> ModelInfo:
    """``kept`` with other bytes in its description."""
    with zipfile.ZipFile(kept) as before, zipfile.ZipFile(target, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            after.writestr(entry, content.replace(was, now) if entry.filename == "config.json" else content)
    return inspect(target)


def test_a_keras_model_trained_twice_is_the_same_model(tmp_path: Path) -> None:
    """Keras writes the addresses of what layers share: others in each process, and nothing that describes tensors."""
    first = inspect(REAL / "trained.keras")
    second = saved_again(REAL / "trained.keras", tmp_path / "again.keras", b"140107674805840", b"139934731134480")
    other = saved_again(REAL / "trained.keras", tmp_path / "other.keras", b'"valid"', b'"exact"')
    assert (tmp_path / "again.keras").read_bytes() != (REAL / "trained.keras").read_bytes()
    assert second.files[0].header_sha256 == first.files[0].header_sha256 != other.files[0].header_sha256


def test_trees_and_their_sizes_are_named() -> None:
    assert "12 trees" in inspect(REAL / "lightgbm.txt").architecture.name  # type: ignore[union-attr]
    assert "8 trees" in inspect(REAL / "gbtree.ubj").architecture.name  # type: ignore[union-attr]
    assert "no ensemble of trees" in inspect(REAL / "gblinear.json").unknown[0]


def test_groups_with_an_index_of_their_own_are_not_guessed() -> None:
    info = inspect(REAL / "dense.h5")
    assert info.parameters is None
    assert "are not read" in info.unknown[0]


def test_external_data_counts_and_must_be_there_and_whole(tmp_path: Path) -> None:
    for name in ("beside.onnx", "beside.bin"):
        shutil.copy(REAL / name, tmp_path)
    info = inspect(tmp_path / "beside.onnx")
    assert [file.path for file in info.files] == ["beside.onnx", "beside.bin"]
    data = (tmp_path / "beside.bin").read_bytes()
    (tmp_path / "beside.bin").write_bytes(data[:-5])
    with pytest.raises(ModelFileError, match=r"is truncated: tensors of beside.onnx reach to byte"):
        inspect(tmp_path / "beside.onnx")
    (tmp_path / "beside.bin").unlink()
    with pytest.raises(ModelFileError, match=r"keeps 2 tensors in 'beside.bin', which is not there"):
        inspect(tmp_path / "beside.onnx")


@pytest.mark.parametrize("name", ["/etc/pw.na", "../out.bin", "a/../b.bin", "C:\\pw.data"])
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    content = (REAL / "beside.onnx").read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(content.replace(b"beside.bin", name.encode()))
    with pytest.raises(ModelFileError, match="which is not a file of its own folder"):
        inspect(path)


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_graph_whose_variables_are_missing_is_no_small_model(tmp_path: Path, left: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(REAL / "savedmodel", folder)
    shutil.rmtree(folder / "variables")
    if left == "an empty folder":
        (folder / "variables").mkdir()
    with pytest.raises(ModelFileError, match="variables/ is not there"):
        inspect(folder)


def test_variables_whose_data_is_missing_or_short(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(REAL / "savedmodel", folder)
    data = next((folder / "variables").glob("*.data-*"))
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 4])
    with pytest.raises(ModelFileError, match="is truncated: its variables reach to byte"):
        inspect(folder)
    data.unlink()
    with pytest.raises(ModelFileError, match="which is not there"):
        inspect(folder)
    (folder / "variables" / "variables.index").unlink()
    (folder / "variables" / "left").write_text("x")
    with pytest.raises(ModelFileError, match=r"without variables.index"):
        inspect(folder)


CUT = {
    "state.pt": "no directory at its end",
    "before-1.6.pth": "is truncated: its tensors take",
    "trained.keras": "no directory at its end",
    "trained.h5": "is truncated: its data end at byte",
    "inside.onnx": "is truncated",
    "forest.joblib": "is truncated",
    "forest.5.pkl": "is truncated",
    "gbtree.json": "is truncated: it claims 8 trees",
    "gbtree.ubj": "is truncated: it claims 8 trees",
    "lightgbm.txt": "is truncated: its trees take",
    "words.xz.joblib": "is truncated",
}


@pytest.mark.parametrize("name", CUT)
def test_files_that_were_cut_off_say_so(tmp_path: Path, name: str) -> None:
    content = (REAL / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ModelFileError, match=CUT[name]):
        inspect(path)

"""Every way in which a model's files can be bad: each has a message of its own, and none takes time or memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.formats.build import DATA, safetensors_bytes, safetensors_header, small_gguf

from mlpack.errors import ModelFileError
from mlpack.formats import inspect, reading

REAL = DATA / "real"
NAMES = (  # one file of every format that is a file
    "state.pt",
    "before-1.6.pth",
    "trained.keras",
    "trained.h5",
    "inside.onnx",
    "forest.joblib",
    "forest.5.pkl",
    "lightgbm.txt",
    "gbtree.ubj",
    "gbtree.json",
)
CONTENTS = {name: (REAL / name).read_bytes() for name in NAMES} | {
    "m.safetensors": safetensors_bytes(safetensors_header({"a": ("F32", (2,))})),
    "m.gguf": small_gguf(),
}


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        inspect(path)
    assert caught.value.where is not None
    return str(caught.value)


def written(folder: Path, name: str, content: bytes | None = None) -> Path:
    path = folder / name
    path.write_bytes(CONTENTS[name] if content is None else content)
    return path


@pytest.mark.parametrize("name", CONTENTS)
class TestEveryFormat:
    def test_missing(self, tmp_path: Path, name: str) -> None:
        assert "there is no such file or folder" in refusal(tmp_path / name)

    def test_empty(self, tmp_path: Path, name: str) -> None:
        assert "is empty" in refusal(written(tmp_path, name, b""))

    def test_lfs_pointer(self, tmp_path: Path, name: str) -> None:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
        message = refusal(written(tmp_path, name, pointer))
        assert "this is a Git LFS pointer" in message
        assert "git lfs pull" in message

    def test_a_web_page_instead(self, tmp_path: Path, name: str) -> None:
        page = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>" * 20
        message = refusal(written(tmp_path, name, page))
        assert "is not a" in message or "is neither" in message or "claims" in message

    @pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
    def test_cut_off(self, tmp_path: Path, name: str, part: float) -> None:
        """A cut in the last bytes may leave all that is read; what is left must then be told truly."""
        whole = inspect(written(tmp_path, name))
        path = written(tmp_path, name, CONTENTS[name][: max(1, int(len(CONTENTS[name]) * part))])
        try:
            found = inspect(path)
        except ModelFileError:
            return
        assert part > 0.9
        assert found.parameters in {whole.parameters, None}

    def test_a_file_that_shrinks_while_it_is_read(
        self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The size is what it was, the bytes are gone: at any read after the first."""
        path = written(tmp_path, name)
        size, reads = path.stat().st_size, 0
        real_open = Path.open

        class Shrinking(io.BytesIO):
            def read(self, count: int | None = -1, /) -> bytes:
                nonlocal reads
                reads += 1
                return super().read(count) if reads <= 2 else b""

        def opener(self: Path, mode: str = "r") -> BinaryIO:
            with real_open(self, mode) as file:
                return Shrinking(file.read())

        monkeypatch.setattr(Path, "open", opener)
        monkeypatch.setattr(reading, "file_size", lambda _: size)
        with pytest.raises(ModelFileError, match="changes while it is read"):
            inspect(path)

    def test_a_named_pipe_is_not_waited_for(self, tmp_path: Path, name: str) -> None:
        os.mkfifo(tmp_path / name)
        assert "is not a regular file" in refusal(tmp_path / name)

    def test_a_link_to_a_device_is_not_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).symlink_to("/dev/zero")
        assert "is not a regular file" in refusal(tmp_path / name)

    def test_a_link_to_itself(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).symlink_to(tmp_path / name)
        assert "leads back to itself" in refusal(tmp_path / name)


UNREADABLE = """
import os, sys
from pathlib import Path
from mlpack.errors import ModelFileError
from mlpack.formats import inspect
os.setgid(65534); os.setuid(65534)
try:
    inspect(Path(sys.argv[1]))
except ModelFileError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone who may not read")
def test_no_permission(tmp_path: Path) -> None:
    path = written(tmp_path, "m.safetensors")
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o755)
    said = subprocess.run(
        [sys.executable, "-c", UNREADABLE, str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert "no permission to read it" in said.stdout, said.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone who may not read")
def test_no_permission_below_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(REAL / "savedmodel", path)
    (path / "variables").chmod(0)
    for folder in (path, tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o755)
    said = subprocess.run(
        [sys.executable, "-c", UNREADABLE, str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert "no permission to read it" in said.stdout, said.stderr


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("savedmodel/saved_model.pb", "in a folder \\(savedmodel\\): name the folder"),
        ("checkpoint/ckpt-1", "is named by its ckpt-1.index"),
        ("checkpoint/ckpt-2", "check the path"),
    ],
)
def test_a_part_of_a_model_says_what_to_name(name: str, hint: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        inspect(REAL / name)
    assert re.search(hint, str(caught.value)), caught.value


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "checkpoint").write_text("nothing of use")
    assert "names no checkpoint" in refusal(folder)
    (folder / "checkpoint").write_text('model_checkpoint_path: "../../ckpt-9"\n')
    assert "names the checkpoint 'ckpt-9', which is not there" in refusal(folder)
    for name in ("a\0b", "long" * 200):
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\n')
        assert "which is not there" in refusal(folder)


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zipped({"m/data.pkl": bytes(40 * 2**20)})
    assert len(bomb) < 2**20
    assert "exhaust memory" in refusal(written(tmp_path, "m.pt", bomb))
    assert "exhaust memory" in refusal(written(tmp_path, "m.keras", zipped({"config.json": bytes(40 * 2**20)})))


def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zipped({"m/data.pkl": bytes(50 * 2**20)})
    small = struct.pack("<L", 1000)
    lying = bomb.replace(struct.pack("<L", 50 * 2**20), small)
    assert lying.count(small) >= 2
    assert "unpacks to other than the 1,000 bytes" in refusal(written(tmp_path, "m.pt", lying))


def test_archives_within_archives_are_not_opened(tmp_path: Path) -> None:
    inner = zipped({"m/data.pkl": bytes(2**20)})
    for _ in range(3):
        inner = zipped({"a.zip": inner, "b.zip": inner})
    assert "without PyTorch's data.pkl" in refusal(written(tmp_path, "m.pt", inner))


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"m/data.pkl": b"a" * 500, "m/data/0": b"b" * 500}, zipfile.ZIP_STORED))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = bytes(4)  # the second entry lies where the first does
    assert "overlap" in refusal(written(tmp_path, "m.pt", bytes(content)))


def test_an_encrypted_archive_says_so(tmp_path: Path) -> None:
    content = bytearray((REAL / "state.pt").read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 1)
    assert "is an encrypted archive" in refusal(written(tmp_path, "m.pt", bytes(content)))


def test_storage_that_is_missing_or_of_another_size(tmp_path: Path) -> None:
    with zipfile.ZipFile(REAL / "state.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name in entries if name.endswith("/data/0"))
    shorter = zipped(entries | {key: entries[key][:-4]}, zipfile.ZIP_STORED)
    assert "bytes of tensor data" in refusal(written(tmp_path, "m.pt", shorter))
    entries.pop(key)
    assert "which is not in it" in refusal(written(tmp_path, "m.pt", zipped(entries, zipfile.ZIP_STORED)))


def test_no_pickle_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Harmful:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return os.mkdir, (str(mark),)

    harm = pickle.dumps({"weight": Harmful()}, 2)
    old = (REAL / "before-1.6.pth").read_bytes()
    for name, content in {
        "m.pkl": harm,
        "m.joblib": harm,
        "m.pt": zipped({"m/data.pkl": harm, "m/constants.pkl": harm}),
        "m.bin": old[:40] + harm + harm + harm,
    }.items():
        try:
            inspect(written(tmp_path, name, content))
        except ModelFileError:
            continue
    assert not mark.exists()
    assert "posix.mkdir" in str(inspect(tmp_path / "m.pkl").architecture)


@pytest.mark.parametrize("shard", ["../model-1.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\0b"])
def test_an_index_may_not_lead_outside(tmp_path: Path, shard: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    assert "not a file of its own folder" in refusal(index)


def test_an_index_of_absent_shards_names_them(tmp_path: Path) -> None:
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.bin", "b": "two.bin"}}))
    assert "files that are not there: one.bin, two.bin" in refusal(index)
    index.write_text(json.dumps({"weight_map": {"a": "long" * 200}}))
    assert "files that are not there: long" in refusal(index)


@pytest.mark.slow
@pytest.mark.parametrize("fill", [b"[],", b'{"":1},', b'"a":1,', b"1,", b'"\xf0\x9f\x98\x80","'])
@pytest.mark.parametrize("name", ["m.safetensors", "model.safetensors.index.json", "config.json"])
def test_json_made_to_grow_in_memory_is_refused_in_little(tmp_path: Path, name: str, fill: bytes) -> None:
    """32 MB of small values would take 400 MB and more as Python's objects."""
    body = fill * (30 * 2**20 // len(fill))
    if name == "m.safetensors":
        content = safetensors_bytes(b'{"a":[' + body + b"0]}", 0)
    elif name.endswith("index.json"):
        content = b'{"weight_map":{"a":[' + body + b"0]}}"
    else:
        (tmp_path / "model.safetensors").write_bytes(CONTENTS["m.safetensors"])
        content = b'{"a":[' + body + b"0]}"
    path = written(tmp_path, name, content)
    code = (
        "import resource,sys; from pathlib import Path; from mlpack.formats import inspect\n"
        "from mlpack.errors import ModelFileError\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20, -1))\n"
        "try: print(inspect(Path(sys.argv[1])))\n"
        "except ModelFileError as error: print('refused', error)\n"
    )
    target = path.parent if name == "config.json" else path
    said = subprocess.run(
        [sys.executable, "-c", code, str(target)], check=False, capture_output=True, text=True, timeout=60
    )
    assert said.stdout.startswith("refused"), said.stderr[-500:]

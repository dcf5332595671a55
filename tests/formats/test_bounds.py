"""Files made to exhaust: each as large and as dense as its format lets it be, read in a process under a limit."""

from __future__ import annotations

import functools
import io
import json
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.formats.build import DATA, gguf_text

pytestmark = pytest.mark.slow

ALLOWED_BYTES = 64 * 2**20
SECONDS = 20
"""No measure of speed: a bound that only something endless passes, on a machine however busy."""
LIMITED = """
import resource, sys
from pathlib import Path
from mlpack.errors import ModelFileError
from mlpack.formats import inspect
begun = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (begun + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    print('read', inspect(Path(sys.argv[1])).parameters)
except ModelFileError as error:
    print('refused', error)
"""


def limited(path: Path) -> str:
    """What a process with 64 MiB more than it begins with says of ``path``."""
    argv = [sys.executable, "-c", LIMITED, str(path), str(ALLOWED_BYTES)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def torch_of(pickle: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", pickle)
    return buffer.getvalue()


def many_entries() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(60_000):
            archive.writestr(f"m/data/{'x' * 60}{number}", b"")
    return buffer.getvalue()


def gguf_of(pairs: int, metadata: bytes, tensors: int = 0, infos: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + metadata + infos + bytes(64)


def keras_of(config: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("metadata.json", b"{}"), ("config.json", config)):
            archive.writestr(name, content)
    return buffer.getvalue()


def safetensors_of(count: int) -> bytes:
    entry = b'"%d":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}'
    text = b"{" + b",".join(entry % (n, n, n + 1) for n in range(count)) + b"}"
    return len(text).to_bytes(8, "little") + text + bytes(count)


def onnx_of(tensors: int, name: int) -> bytes:
    places = [field(13, field(1, b"location") + field(2, b"%0*d" % (name, n))) for n in range(tensors)]
    inside = b"".join(field(5, b"\x08\x01\x10\x01\x70\x01" + place) for place in places)
    return b"\x08\x08" + field(7, inside)


def nested() -> bytes:
    content = b""
    for _ in range(2000):
        content = field(1, field(5, b"\x0a\x01a" + field(6, content)))
    return b"\x08\x08" + field(7, content)


@functools.cache
def strings() -> bytes:
    """Texts that are all remembered; made where they are wanted, not whenever the tests are collected."""
    return b"".join(b"X" + struct.pack("<I", 8) + b"%08d" % n + b"\x94" for n in range(700_000))


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "torch: marks": ("m.pt", lambda: torch_of(b"\x80\x02" + b"(" * 10_000_000)),
    "torch: an endless stack": ("m.pt", lambda: torch_of(b"\x80\x02" + b"}" * 10_000_000)),
    "torch: a memo of texts": ("m.pt", lambda: torch_of(b"\x80\x04" + strings()[: 12 * 2**20])),
    "torch: tuples of tuples": ("m.pt", lambda: torch_of(b"\x80\x02)" + b"2\x86" * 5_000_000)),
    "torch: the longest numbers": ("m.pt", lambda: torch_of(b"\x80\x02" + (b"\x8a\xff" + b"\x7f" * 255) * 50_000)),
    "torch: many entries": ("m.pt", many_entries),
    "pickle: a memo of texts": ("m.pkl", lambda: b"\x80\x04" + strings()),
    "pickle: a payload of 2**62": ("m.pkl", lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + bytes(100)),
    "joblib: zeros, packed": ("m.joblib", lambda: zlib.compress(b"\x80\x04" + b"}" * 300_000_000, 1)),
    "onnx: empty fields": ("m.onnx", lambda: b"\x08\x08" + b"\x0a\x00" * 15_000_000),
    "onnx: many data files": ("m.onnx", lambda: onnx_of(8000, 4000)),
    "onnx: nested graphs": ("m.onnx", nested),
    "gguf: tensors": ("m.gguf", lambda: gguf_of(0, b"", 65_000, (gguf_text("x" * 200) + bytes(16)) * 65_000)),
    "gguf: arrays": (
        "m.gguf",
        lambda: gguf_of(
            30_000,
            b"".join(gguf_text(f"{n:06}") + struct.pack("<IIQ", 9, 0, 1000) + bytes(1000) for n in range(30_000)),
        ),
    ),
    "safetensors: tensors": ("m.safetensors", lambda: safetensors_of(190_000)),
    "safetensors: too many tensors": ("m.safetensors", lambda: safetensors_of(400_000)),
    "xgboost: trees": ("m.json", lambda: b'{"learner":{' + b'"num_nodes":"9999",' * 1_500_000 + b"}}"),
    "lightgbm: trees": ("m.lgb", lambda: b"tree\nversion=v4\ntree_sizes=" + b"1 " * 500_000 + b"\n\n" + b"T" * 600_000),
    "keras: all that a configuration may hold": (
        "m.keras",
        lambda: keras_of(
            b'{"text":"' + "\U0001f600".encode() + b"x" * (3 * 2**20) + b'","config":[' + b"[]," * 70_000 + b"0]}"
        ),
    ),
    "keras: a long configuration": ("m.keras", lambda: keras_of(b"[" * 15_000_000)),
    "config.json": ("config.json", lambda: b'{"a":[' + b"[]," * 600_000 + b"0]}"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_files_made_to_exhaust_are_read_or_refused_in_little_memory(case: str, tmp_path: Path) -> None:
    name, make = BOMBS[case]
    (tmp_path / name).write_bytes(make())
    if name == "config.json":
        (tmp_path / "model.safetensors").write_bytes(safetensors_of(2))
        assert limited(tmp_path).startswith("refused")
    else:
        assert limited(tmp_path / name).startswith(("read", "refused"))


def test_a_saved_graph_of_long_names_takes_little_memory(tmp_path: Path) -> None:
    """1,000 operations of 60 inputs, each with another name of 250 characters, and shapes without an end."""
    folder = tmp_path / "model"
    shutil.copytree(DATA / "real" / "convolved-savedmodel" / "variables", folder / "variables")
    shape = field(7, field(2, b"\x08\x7f") * 2000)
    nodes = b"".join(
        field(
            3,
            field(1, b"%0250d" % n)
            + field(2, b"Relu")
            + b"".join(field(3, b"%0250d" % (60 * n + i)) for i in range(60)),
        )
        for n in range(1000)
    )
    image = field(
        1, field(1, b"x") + field(2, b"Placeholder") + field(5, field(1, b"_output_shapes") + field(2, shape))
    )
    graph = image + field(2, field(1, field(1, field(1, b"f")) + nodes))
    (folder / "saved_model.pb").write_bytes(field(2, field(2, graph)))
    assert limited(folder).startswith("read")


def test_a_config_of_all_that_is_allowed_takes_little_memory(tmp_path: Path) -> None:
    text = "\U0001f600" + "x" * (3 * 2**20)  # one wide character makes Python store all of them in four bytes
    config = json.dumps(
        {"architectures": ["X"], "text": text, "values": [{} for _ in range(70_000)]}, ensure_ascii=False
    )
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes(safetensors_of(2))
    assert limited(tmp_path) == "read 2\n"


def test_one_and_a_half_terabytes_are_read_in_constant_memory(tmp_path: Path) -> None:
    """160 shards of 9.4 GB, files without blocks: a trillion 8-bit parameters and half a trillion in the rest."""
    names = [f"model-{n:05}-of-00160.safetensors" for n in range(1, 161)]
    tensors: dict[str, str] = {}
    for shard in names:
        header, place = {}, 0
        for number in range(875):
            size = 10_716_000
            header[f"{shard}.layers.{number}.experts.weight"] = {
                "dtype": "F8_E4M3",
                "shape": [size],
                "data_offsets": [place, place + size],
            }
            place += size
        text = json.dumps(header).encode()
        with (tmp_path / shard).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + place)
        tensors |= dict.fromkeys(header, shard)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": tensors}))
    assert index.stat().st_size > 10 * 2**20
    assert limited(index) == f"read {160 * 875 * 10_716_000}\n"

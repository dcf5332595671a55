"""Damages real models and has them read in a process of its own, under limits: for the tests and bench/fuzz.

    python -m tests.formats.fuzzing FORMAT COUNT [SEED]

The process may take 64 MiB more than it begins with and 2 s for one input, and opens nothing outside of its folder; an
audit hook sees whatever would import, run or write. It prints what happened as JSON.
"""

from __future__ import annotations

import io
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.formats.build import DATA, safetensors_bytes, safetensors_header, small_gguf

from mlpack.errors import ModelFileError
from mlpack.formats import inspect

REAL = DATA / "real"
ALLOWED_BYTES = 64 * 2**20
DEADLINE_S = 2.0
INDEX = b'{"metadata": {"total_size": 8}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}'
CONFIG = b'{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2}'
Files = dict[str, bytes]


def real(*names: str) -> list[Files]:
    """One case for each file of ``real/``."""
    return [{name: (REAL / name).read_bytes()} for name in names]


def folder(name: str) -> list[Files]:
    """A folder of ``real/`` as one case."""
    inside = (path for path in sorted((REAL / name).rglob("*")) if path.is_file())
    return [{str(path.relative_to(REAL)): path.read_bytes() for path in inside}]


def seeds() -> dict[str, list[Files]]:
    """Format -> cases. The path to be read is the first file's, or the folder that all of a case lie in."""
    tensors = {f"layer.{n}.weight": ("F16" if n % 2 else "F32", (n, 3)) for n in range(1, 9)}
    stored = safetensors_bytes(safetensors_header(tensors))
    weights = {"m/config.json": CONFIG, "m/model.safetensors": stored}
    return {
        "safetensors": [
            {"m.safetensors": stored},
            {"model.safetensors.index.json": INDEX, "m-1.safetensors": stored, "m-2.safetensors": stored},
        ],
        "transformers": [weights, {"m/config.json": CONFIG, "m/pytorch_model.bin": (REAL / "tied.bin").read_bytes()}],
        "gguf": [{"m.gguf": small_gguf()}],
        "pytorch": real("state.pt", "mixed.pt", "scripted.pt", "frozen.pt", "before-1.6.pth", "training.ckpt"),
        "onnx": [*real("inside.onnx"), {name: (REAL / name).read_bytes() for name in ("beside.onnx", "beside.bin")}],
        "savedmodel": [*folder("savedmodel"), *folder("frozen-savedmodel"), *folder("convolved-savedmodel")],
        "checkpoint": folder("checkpoint"),
        "keras": real("trained.keras", "repacked.keras"),
        "hdf5": real("trained.h5", "newer.h5", "packed.h5", "dense.h5"),
        "joblib": real("forest.joblib", "odd.joblib", "words.joblib", "forest.zlib.joblib", "words.xz.joblib"),
        "pickle": real("forest.2.pkl", "words.5.pkl", "words.2.pkl"),
        "lightgbm": real("lightgbm.txt"),
        "xgboost": real("gbtree.json", "gbtree.ubj", "gblinear.ubj"),
    }


class Damage:
    """Mutations, all from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def case(self, files: Files) -> Files:
        """``files`` with one of them damaged: as bytes, or inside of its archive or compression."""
        name = self.random.choice(sorted(files))
        content = files[name]
        inner = self.random.random() < 0.5
        if inner and content.startswith(b"PK\x03\x04"):
            return files | {name: self._archive(content)}
        if inner and content.startswith((b"\x78\x9c", b"\x78\x5e", b"\x78\x01")):
            return files | {name: zlib.compress(self.bytes(zlib.decompress(content)), 1)}
        return files | {name: self.bytes(content)}

    def _archive(self, content: bytes) -> bytes:
        """One entry damaged, the archive whole."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            chosen = self.random.choice(old.namelist())
            for entry in old.namelist():
                data = old.read(entry)
                new.writestr(entry, self.bytes(data) if entry == chosen else data)
        return buffer.getvalue()

    def bytes(self, content: bytes) -> bytes:
        """``content`` after one to eight steps: flipped, overwritten, cut, repeated, grown."""
        data = bytearray(content)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            self._step(data)
        return bytes(data)

    def _step(self, data: bytearray) -> None:
        choose = self.random
        at = self._place(len(data))
        kind = choose.randrange(9)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << choose.randrange(8)
        elif kind == 1:
            data[at : at + 1] = bytes([choose.choice((0, 1, 0x7F, 0x80, 0xFF, choose.randrange(256)))])
        elif kind == 2:
            width = choose.choice((2, 4, 8))
            number = choose.choice((0, 1, 2**7, 2**15, 2**16, 2**31, 2**32, 2**62, 2**63)) - choose.choice((0, 1))
            order = choose.choice(("little", "big"))
            data[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, order)
        elif kind == 3:
            del data[at : at + choose.choice((1, 2, 8, 100, 2000))]
        elif kind == 4:
            data[at:at] = choose.randbytes(choose.choice((1, 2, 8, 64)))
        elif kind == 5:
            source = self._place(len(data))
            data[at:at] = data[source : source + choose.choice((4, 32, 500))] * choose.choice((1, 2, 50))
        elif kind == 6:
            del data[self._place(len(data)) :]
        elif kind == 7:
            source = self._place(len(data))
            length = choose.choice((4, 8, 16))
            data[at : at + length] = data[source : source + length]
        else:
            digits = [place for place in range(at, min(at + 200, len(data))) if 0x30 <= data[place] <= 0x39]
            if digits:
                place = choose.choice(digits)
                data[place : place + 1] = choose.choice((b"0", b"9", b"99999999999", b"-1", b"1e9", b"."))

    def _place(self, size: int) -> int:
        """Headers and directories are likely: the beginning, the end, or anywhere."""
        near = self.random.choice((64, 1024, size or 1))
        place = self.random.randrange(min(near, size) or 1)
        return place if self.random.random() < 0.6 else max(0, size - 1 - place)


@dataclass
class Outcome:
    """How many inputs were read, refused, or did what none may do (``wrong``: kind -> count, ``examples``)."""

    format: str
    inputs: int = 0
    read: int = 0
    refused: int = 0
    wrong: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    messages: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0

    def note(self, kind: str, what: str) -> None:
        """Something that may not happen."""
        self.wrong[kind] = self.wrong.get(kind, 0) + 1
        if len(self.examples) < 10:
            self.examples.append(f"{kind}: {what}")


class Late(BaseException):
    """The deadline."""


def fuzz(name: str, count: int, seed: int, work: Path) -> Outcome:
    """Read ``count`` damaged models of a format. Sets limits and hooks on this whole process: run it in its own."""
    cases, damage, outcome = seeds()[name], Damage(seed), Outcome(name)
    for case in cases:  # modules are imported and caches filled before the limits count
        inspect(laid(case, work))
    watch = watched(work)
    signal.signal(signal.SIGALRM, _late)
    begun = address_space()
    resource.setrlimit(resource.RLIMIT_AS, (begun + ALLOWED_BYTES, resource.RLIM_INFINITY))
    messages: Counter[str] = Counter()
    for number in range(count):
        path = laid(damage.case(cases[number % len(cases)]), work)
        start = time.perf_counter()
        watch.active = True
        signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
        try:
            info = inspect(path)
            signal.setitimer(signal.ITIMER_REAL, 0)
            outcome.read += 1
            if info.weights_bytes < 0 or info.size_bytes < 0:
                outcome.note("nonsense", repr(info)[:200])
        except ModelFileError as error:
            outcome.refused += 1
            messages[" ".join(error.what.split()[:4])] += 1
        except Late:
            outcome.note("hang", f"input {number}")
        except MemoryError:
            outcome.note("memory", f"input {number}")
        except BaseException as error:
            outcome.note("crash", f"input {number}: {type(error).__name__}: {error}"[:300])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            watch.active = False
        outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - start)
        outcome.inputs += 1
    for what in watch.strange:
        outcome.note("outside", what)
    outcome.messages = len(messages)
    outcome.peak_bytes = max(0, peak() - begun)
    return outcome


def laid(files: Files, work: Path) -> Path:
    """``files`` as they lie on the disk, and nothing else; the path that is to be read."""
    for old in work.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, content in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)
    first = next(iter(files))
    return work / (first.split("/")[0] if "/" in first else first)


@dataclass
class Watch:
    """While ``active``: everything this process opens outside of its folder, imports, or runs."""

    active: bool = False
    strange: list[str] = field(default_factory=list)


def watched(work: Path) -> Watch:
    """A watch over this process, for good."""
    watch = Watch()
    inside = str(work)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not watch.active:
            return
        if event == "open" and isinstance(arguments[0], str | bytes):
            name = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
            if not name.startswith(inside) or ".." in name:
                watch.strange.append(f"open {name}")
        elif event in {"pickle.find_class", "os.system", "subprocess.Popen", "exec", "compile", "socket.connect"}:
            watch.strange.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)
    return watch


def address_space() -> int:
    """Bytes of address space that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def peak() -> int:
    """Bytes of address space at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmPeak"))


def _late(*_: object) -> None:
    raise Late


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        result = fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0, Path(temporary))
        sys.stdout.write(json.dumps(asdict(result)))

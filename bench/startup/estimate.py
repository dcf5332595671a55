"""How long an estimate takes: `mlpack estimate` beside hf-mem and accelerate on one model, and on 1.5 TB of shards.

    python bench/startup/estimate.py MODEL_FOLDER [--more PATH ...] [--rounds 9] [--keep FOLDER]

MODEL_FOLDER is a transformers folder (config.json, model.safetensors). Both peers know models by their name on the
Hugging Face hub only; here a stand-in of the hub on this machine serves them the same folder, so that no network is
measured (hf-mem's fixed address is replaced, accelerate reads HF_ENDPOINT). The 1.5 TB are 160 sparse files with real
headers, written by this bench: 0.14 million tensors, a trillion parameters; beside them are the dearest files to look
into, compressed dumps and a pickle of 60,000 objects. Seconds of the whole command, process start included, medians of
alternating runs, each over a bare ``python -c pass``; processor seconds are steadier on a busy machine; peak RSS by the
kernel.
Writes estimate.json beside this file.
"""

from __future__ import annotations

import argparse
import bz2
import json
import lzma
import os
import pickle
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from array import array
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
NAME = "bench/model"
COMMIT = "0" * 40
PICKLES = ("zlib.joblib", "bz2.joblib", "xz.joblib", "objects.pkl")
START = "mlpack estimate, a file of one tensor"
SHARDS, TENSORS, SIDE = 160, 900, 2688
HF_MEM = """
import hf_mem.cli
import httpx2 as http
build = http.AsyncClient.build_request
def here(self, method, url, **more):
    return build(self, method, str(url).replace("https://huggingface.co", HUB), **more)
http.AsyncClient.build_request = here
hf_mem.cli.main()
"""


class Hub(BaseHTTPRequestHandler):
    """The part of the hub that the peers ask: what files a model has, and byte ranges of them."""

    folder: ClassVar[Path]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Size and identity of a file."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """A list, a model's card, or a part of a file."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            files = sorted(file for file in self.folder.iterdir() if file.is_file())
            if "/tree/" in path:
                told: object = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": COMMIT} for f in files
                ]
            else:
                told = {
                    "id": NAME,
                    "modelId": NAME,
                    "sha": COMMIT,
                    "siblings": [{"rfilename": file.name} for file in files],
                    "library_name": "transformers",
                    "config": json.loads((self.folder / "config.json").read_text()),
                }
            self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"}, body=body)
            return
        file = self.folder / path.rpartition("/")[2]
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
            return
        size, start, end = file.stat().st_size, 0, file.stat().st_size - 1
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked[6:].partition("-")
            start, end = int(first), min(end, int(last) if last else end)
        with file.open("rb") as stream:
            stream.seek(start)
            part = stream.read(end - start + 1) if body else b""
        more = {"ETag": f'"{COMMIT}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if asked:
            more["Content-Range"] = f"bytes {start}-{end}/{size}"
        self._send(206 if asked else 200, part, more, body=body, length=end - start + 1)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, body: bool, length: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the table is the output."""


def sharded(folder: Path) -> int:
    """160 sparse shards and their index; bytes that they seem to have."""
    folder.mkdir(parents=True)
    total, where = 0, {}
    for shard in range(SHARDS):
        header, offset, name = {}, 0, f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        for tensor in range(TENSORS):
            size = SIDE * SIDE
            key = f"model.layers.{shard}.experts.{tensor}.weight"
            header[key] = {"dtype": "F8_E4M3", "shape": [SIDE, SIDE], "data_offsets": [offset, offset + size]}
            offset += size
            where[key] = name
        rest, key = 3 * 10**9, f"rest.{shard}"  # the rest of each shard is one tensor of 16-bit numbers
        header[key] = {"dtype": "BF16", "shape": [rest // 2], "data_offsets": [offset, offset + rest]}
        where[key] = name
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            stream.truncate(8 + len(text) + offset + rest)
        total += 8 + len(text) + offset + rest
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def pickles(folder: Path) -> None:
    """Dumps as joblib compresses them, of 128 and 32 MiB inside, and 60,000 tuples of Python objects."""
    numbers = random.Random(1)
    part = array("I", numbers.choices(range(4096), k=4 * 2**20)).tobytes()
    (folder / "zlib.joblib").write_bytes(zlib.compress(pickle.dumps([part] * 8), 3))
    (folder / "bz2.joblib").write_bytes(bz2.compress(pickle.dumps([part] * 2), 3))
    (folder / "xz.joblib").write_bytes(lzma.compress(pickle.dumps([part] * 2), preset=1))
    objects = [(numbers.random(), numbers.randrange(10**9), str(index), [index]) for index in range(60_000)]
    (folder / "objects.pkl").write_bytes(pickle.dumps(objects, protocol=4))


def smallest(path: Path) -> Path:
    """One number."""
    text = json.dumps({"one": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    return path


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with ``packages``; its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True)
    return python


def once(argv: list[str], environ: dict[str, str]) -> tuple[float, float, int]:
    """Seconds, processor seconds, and peak RSS in bytes. Raises CalledProcessError with what the command said."""
    start = time.perf_counter()
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv, said.decode(errors="replace")[-600:])
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def medians(found: list[tuple[float, float, int]]) -> tuple[float, float, float]:
    """The median of each of what ``once`` tells."""
    seconds, cpu_s, peak = ([one[index] for one in found] for index in range(3))
    return statistics.median(seconds), statistics.median(cpu_s), statistics.median(peak)


def table(times: dict[str, list[tuple[float, float, int]]]) -> list[dict[str, object]]:
    """The medians of all commands, printed."""
    rows: list[dict[str, object]] = []
    bare, start = medians(times["python -c pass"]), medians(times[START])
    for name, found in times.items():
        seconds, cpu_s, peak = medians(found)
        row: dict[str, object] = {
            "command": name,
            "median_s": round(seconds, 3),
            "cpu_s": round(cpu_s, 3),
            "ratio": round(seconds / bare[0], 1),
            "cpu_ratio": round(cpu_s / bare[1], 1),
            "peak_rss_mib": round(peak / 2**20),
        }
        ratios = f"{seconds / bare[0]:7.1f} x bare {cpu_s / bare[1]:7.1f} x CPU"
        if "mlpack" in name:
            row |= {"answer_s": round(seconds - start[0], 3), "answer_cpu_s": round(cpu_s - start[1], 3)}
            ratios += f" {seconds - start[0]:7.3f} s beyond the start"
        rows.append(row)
        print(f"{name:42} {seconds:7.3f} s {cpu_s:7.3f} s CPU {ratios} {peak / 2**20:5.0f} MiB")
    return rows


def main() -> int:
    """Prepare, measure in turn, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--more", type=Path, nargs="+", default=[], metavar="PATH")
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keep", type=Path, help="keep the peers' environments here for the next time")
    chosen = parser.parse_args()
    if chosen.make:
        print(sharded(chosen.model))
        pickles(chosen.model.parent)
        return 0
    Hub.folder = chosen.model.resolve()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory(prefix="estimate") as temporary:
        work = Path(temporary)
        peers = (chosen.keep or work).absolute()
        make = [sys.executable, __file__, "--make", str(work / "sharded")]  # apart: its peak RSS would be inherited
        size = int(subprocess.run(make, check=True, capture_output=True, text=True).stdout)
        environ = {"PATH": os.environ["PATH"], "HOME": str(work), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_TELEMETRY": "1"}
        mine = [sys.executable, "-m", "mlpack", "estimate", "--json"]
        commands: dict[str, list[str]] = {
            "python -c pass": [sys.executable, "-c", "pass"],
            START: [*mine, str(smallest(work / "one.safetensors"))],
            "mlpack estimate": [*mine, str(chosen.model)],
            **{f"mlpack estimate, {path.name}": [*mine, str(path)] for path in chosen.more},
            f"mlpack estimate, {size / 1e12:.2f} TB in {SHARDS} shards": [*mine, str(work / "sharded")],
            **{f"mlpack estimate, {name}": [*mine, str(work / name)] for name in PICKLES},
        }
        missing, versions = {}, {}
        for name, packages, words in (
            ("hf-mem", ["hf-mem"], ["-c", f"HUB = {hub!r}\n{HF_MEM}", "--model-id", NAME]),
            (
                "accelerate estimate-memory",
                ["torch==2.13.0", "accelerate", "transformers"],
                ["-m", "accelerate.commands.accelerate_cli", "estimate-memory", NAME, "--library_name", "transformers"],
            ),
        ):
            try:
                argv = [str(environment(peers / name.split()[0], *packages)), *words]
                once(argv, environ)
                commands[name] = argv
                tell = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
                said = subprocess.run(
                    [argv[0], "-c", tell, name.split()[0]], check=True, capture_output=True, text=True
                )
                versions[name] = said.stdout.strip()
            except subprocess.CalledProcessError as error:
                missing[name] = str(error.output or error.stderr)[-400:]
        times: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
        for index in range(chosen.rounds + 1):
            for name, argv in commands.items():
                took = once(argv, {**environ, "PYTHONPATH": str(REPOSITORY / "src")} if "mlpack" in name else environ)
                if index:
                    times[name].append(took)
    server.shutdown()
    rows = table(times)
    for name, why in missing.items():
        print(f"left out: {name}: {why}")
    about = {"python": platform.python_version(), "machine": platform.machine(), "model": chosen.model.name}
    about |= {"rounds": chosen.rounds, "versions": versions, "left_out": missing, "results": rows}
    (HERE / "estimate.json").write_text(json.dumps(about, indent=1) + "\n")
    return int(bool(missing))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())

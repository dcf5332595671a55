"""Image size and time to ready of the embedding example: mlpack's Dockerfile against BentoML's and LitServe's.

    for what in build unpacked compressed ready; do
        .venv/bin/python bench/image/bench.py $what --peers ENVIRONMENT [--rounds 5]
    done

ENVIRONMENT is a virtual environment with bentoml and litserve; their own commands (`bentoml build`, `litserve
dockerize`) write their Dockerfiles. All three install examples/embedding/requirements.txt as it is; a peer adds itself,
since its server is what runs. Weights are mounted into all of them. All are built on the same local base image: the
`FROM` line of a peer's file is replaced (it names an official image of this Python or a newer one) by that base
with a folder of wheels laid over it where this machine has one; that layer is not counted. Compressed is the sum of the
layers by gzip -6, each by itself, as registries keep them. Time to ready: from `docker run` until the first right
answer of /embed, alternating; two worker processes each. Writes result.json beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from mlpack.launchers.this_machine import host_network

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "embedding"
WEIGHTS = EXAMPLE / "weights" / "all-minilm-l6-v2"
BASE = "python:3.11-slim-bookworm"
PEER_BASE = "mlpack-bench-image-base:latest"
PORTS = {"mlpack": 8000, "litserve": 8000, "bentoml": 3000}
TAG = "mlpack-bench-image"
TEXTS = {"texts": ["a sentence", "another one"]}


def said(*argv: str, cwd: Path | None = None, **environ: str) -> str:
    """What a program printed. Raises CalledProcessError."""
    done = subprocess.run(
        argv, cwd=cwd, env={**os.environ, **environ}, check=True, stdout=subprocess.PIPE, text=True, timeout=1500
    )
    return done.stdout


def peer_base(scratch: Path) -> None:
    """The local base image, told where torch without CUDA lies."""
    context = scratch / "base"
    (context / "wheels").mkdir(parents=True)
    wheels = host_network(dict(os.environ)).wheels
    for wheel in sorted(Path(wheels).glob("torch-2.13.0*cp311*.whl")) if wheels else []:
        shutil.copy(wheel, context / "wheels")
    lines = (f"FROM {BASE}", "COPY wheels /wheels", "ENV PIP_FIND_LINKS=/wheels UV_FIND_LINKS=/wheels")
    # uv reads neither PIP_CERT nor, by default, the system's certificates.
    (context / "Dockerfile").write_text("\n".join((*lines, "ENV UV_NATIVE_TLS=true", "")))
    said("docker", "build", "--quiet", "--tag", PEER_BASE, str(context))


def build(name: str, folder: Path, dockerfile: Path, *further: str) -> float:
    """Builds an image without reusing layers; seconds."""
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--no-cache", "--file", str(dockerfile), "--tag", f"{TAG}-{name}"]
    words += [f"--build-arg={key}={text}" for key, text in network.args.items()]
    began = time.monotonic()
    said(*words, *further, str(folder))
    return round(time.monotonic() - began, 1)


def prepare_mlpack(scratch: Path) -> float:
    """As rendered and committed."""
    folder = scratch / "mlpack"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("weights", ".venv", "__pycache__"))
    wheels = host_network(dict(os.environ)).wheels
    further = ("--build-context", f"wheels={wheels}") if wheels else ()
    return build("mlpack", folder, folder / "deploy/prod/Dockerfile", *further)


def prepare_litserve(scratch: Path, programs: Path) -> float:
    """`litserve dockerize`."""
    folder = scratch / "litserve"
    folder.mkdir()
    shutil.copy(HERE / "peers" / "litserve_server.py", folder / "server.py")
    shutil.copy(EXAMPLE / "requirements.txt", folder)
    said(str(programs / "litserve"), "dockerize", "server.py", "--port", "8000", cwd=folder)
    return build("litserve", folder, based(folder / "Dockerfile"))


def prepare_bentoml(scratch: Path, programs: Path) -> float:
    """`bentoml build`, and the Dockerfile that it leaves in the bento."""
    folder, home = scratch / "bentoml", scratch / "home"
    folder.mkdir()
    shutil.copy(HERE / "peers" / "bentoml_service.py", folder / "service.py")
    shutil.copy(EXAMPLE / "requirements.txt", folder)
    asked = {"requirements_txt": "requirements.txt", "lock_packages": False}
    (folder / "bentofile.yaml").write_text(
        json.dumps({"service": "service:Embedding", "include": ["service.py"], "python": asked})
    )
    environ = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    said(str(programs / "bentoml"), "build", cwd=folder, **environ)
    (bento,) = [path.parent for path in home.glob("bentos/embedding/*/bento.yaml")]
    return build("bentoml", bento, based(bento / "env" / "docker" / "Dockerfile"))


def based(dockerfile: Path) -> Path:
    """The same file on the local base image. Raises ValueError where it has not one FROM."""
    lines = dockerfile.read_text().splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    if len(at) != 1:
        raise ValueError(f"{dockerfile}: {len(at)} FROM lines")
    said_base = lines[at[0]]
    lines[at[0]] = " ".join(["FROM", PEER_BASE, *said_base.split()[2:]])
    # BuildKit's front end would be fetched from a registry.
    lines = [line for line in lines if not line.startswith("# syntax")]
    dockerfile.write_text("\n".join(lines) + "\n")
    return dockerfile


def layers(image: str, scratch: Path) -> dict[str, int]:
    """Digest of each layer -> its bytes by gzip."""
    archive = scratch / "image.tar"
    said("docker", "save", "--output", str(archive), image)
    found: dict[str, int] = {}
    with tarfile.open(archive) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        for name in manifest[0]["Layers"]:
            content = tar.extractfile(name)
            packer, digest, packed = zlib.compressobj(6), hashlib.sha256(), 0
            while content is not None and (block := content.read(1 << 20)):
                digest.update(block)
                packed += len(packer.compress(block))
            found[digest.hexdigest()] = packed + len(packer.flush())
    archive.unlink()
    return found


def until_ready(name: str) -> float:
    """Seconds from `docker run` to the first right answer."""
    words = ["docker", "run", "--detach", "--rm", "--cpus", "2", "--publish", f"127.0.0.1:0:{PORTS[name]}"]
    target = "/opt/embedding/weights/all-minilm-l6-v2"
    words += ["--volume", f"{WEIGHTS}:{target}:ro", "--env", f"MODEL_DIR={target}", "--env", "OMP_NUM_THREADS=1"]
    began = time.monotonic()
    container = said(*words, f"{TAG}-{name}").strip()
    try:
        port = said("docker", "port", container, str(PORTS[name])).strip().rpartition(":")[2]
        while time.monotonic() - began < 180:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/embed", json=TEXTS, timeout=60, trust_env=False)
                if answer.status_code == 200 and len(answer.json()["embeddings"][0]) == 384:
                    return time.monotonic() - began
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"{name} never answered: {said('docker', 'logs', container)[-500:]}")
    finally:
        said("docker", "rm", "--force", container)


def build_all(programs: Path) -> dict[str, dict[str, Any]]:
    """Builds all three, and what they take unpacked."""
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        peer_base(scratch)
        took = {
            "mlpack": prepare_mlpack(scratch),
            "litserve": prepare_litserve(scratch, programs),
            "bentoml": prepare_bentoml(scratch, programs),
        }
    return {name: {"build_s": seconds} for name, seconds in took.items()}


def unpacked() -> dict[str, dict[str, Any]]:
    """The engine's own sizes, without the layer of wheels that peers' base image has more."""
    more = size(PEER_BASE) - size(BASE)
    found = {name: size(f"{TAG}-{name}") - (0 if name == "mlpack" else more) for name in PORTS}
    found |= {"base": size(BASE), "torch and transformers": packages()}
    return {name: {"unpacked_mib": round(count / 1024**2)} for name, count in found.items()}


def size(image: str) -> int:
    """Bytes unpacked."""
    return int(said("docker", "image", "inspect", "--format", "{{.Size}}", image))


def packages() -> int:
    """Bytes of the two packages in mlpack's image, which no Dockerfile can make smaller."""
    script = "du -sbc /opt/venv/lib/python*/site-packages/torch /opt/venv/lib/python*/site-packages/transformers"
    words = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", f"{TAG}-mlpack", "-c", script)
    return int(said(*words).split()[-2])


def compressed() -> dict[str, dict[str, Any]]:
    """What a registry would keep; two minutes of gzip."""
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        base = layers(BASE, scratch)
        wheels = set(layers(PEER_BASE, scratch)) - set(base)
        found = {"base": base} | {name: layers(f"{TAG}-{name}", scratch) for name in PORTS}
    kept = {name: [count for key, count in sizes.items() if key not in wheels] for name, sizes in found.items()}
    return {name: {"compressed_mib": round(sum(counts) / 1024**2)} for name, counts in kept.items()}


def ready(rounds: int) -> dict[str, dict[str, Any]]:
    """Times of all three, alternating."""
    times: dict[str, list[float]] = {name: [] for name in PORTS}
    for _ in range(rounds):
        for name, runs in times.items():
            runs.append(round(until_ready(name), 2))
    return {name: {"ready_s": statistics.median(runs), "ready_runs_s": runs} for name, runs in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("build", "unpacked", "compressed", "ready"))
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    programs = asked.peers.absolute() / "bin"
    file = HERE / "result.json"
    result: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"images": {}}
    steps: dict[str, Callable[[], dict[str, dict[str, Any]]]] = {
        "build": lambda: build_all(programs),
        "unpacked": unpacked,
        "compressed": compressed,
        "ready": lambda: ready(asked.rounds),
    }
    for name, values in steps[asked.what]().items():
        result["images"][name] = result["images"].get(name, {}) | values
    for key in ("unpacked_mib", "compressed_mib", "ready_s"):
        found = {name: result["images"][name][key] for name in PORTS if key in result["images"].get(name, {})}
        if len(found) == len(PORTS):
            smaller = min(found["bentoml"], found["litserve"])
            result[f"{key} over the smaller peer's"] = round(found["mlpack"] / smaller, 2)
    code = "import importlib.metadata as m; print(m.version('bentoml'), m.version('litserve'))"
    versions = said(str(programs / "python"), "-c", code).split()
    result["versions"] = dict(zip(("bentoml", "litserve"), versions, strict=True))
    lines = (EXAMPLE / "requirements.txt").read_text().splitlines()
    result["requirements"] = [line for line in lines if not line.startswith("#")]
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

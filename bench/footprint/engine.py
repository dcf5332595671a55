"""Docker as the bench needs it: the image, the weights, one measured worker, one limited container."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.footprint.project import HERE, REPOSITORY, ROOT

from mlpack.launchers.this_machine import host_network
from mlpack.meter.cache import code_files, evict

IMAGE = "mlpack-bench-footprint"
TMP_MIB = 64
PARENT = os.environ.get("MLPACK_BENCH_CGROUP_PARENT")
"""A control group for the containers, where the machine is busy and they should have a larger share of its cores."""


def docker(*words: str, timeout_s: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
    """``docker WORDS``; with ``check`` a failure ends the bench with Docker's own words."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout_s, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words[:3])}: {done.stderr.strip()[-2000:]}")
    return done


def build_image() -> None:
    """The image, by Docker's own cache; pip is told what this machine's pip knows."""
    network = host_network(dict(os.environ))
    words = ["build", "--quiet", "--tag", IMAGE]
    words += [f"--build-arg={name}={value}" for name, value in network.args.items()]
    if network.wheels:
        words += ["--build-context", f"wheels={network.wheels}"]
    docker(*words, str(HERE / "images"), timeout_s=3600)


def make_weights(name: str, python: str, folder: Path) -> None:
    """The model's files in ``folder``/name, unless they are there."""
    if (folder / name).exists():
        return
    making = folder / f".{name}"
    making.mkdir(parents=True, exist_ok=True)
    mounts = ["-v", f"{HERE}:/bench:ro", "-v", f"{making}:/weights"]
    docker(
        "run", "--rm", *_parent(), *mounts, IMAGE, f"/opt/{python}/bin/python", "/bench/weights.py", name, "/weights"
    )
    for path in (making, *making.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    making.rename(folder / name)


def measure(project: Path, python: str) -> None:
    """``mlpack estimate --measure`` of the project, inside the image; its own control group where it may make one."""
    words = ["run", "--rm", *_parent(), "-v", f"{project}:{ROOT}", "-w", ROOT]
    for name in ("src", "profiles", "templates"):  # the last two are links in src
        words += ["-v", f"{REPOSITORY / name}:/repository/{name}:ro"]
    if Path("/sys/fs/cgroup/memory").is_dir() and os.getuid() == 0:
        words += ["-v", "/sys/fs/cgroup/memory:/sys/fs/cgroup/memory"]
    argv = ["/opt/mlpack/bin/python", "-m", "mlpack", "estimate", "--measure", "--python", f"/opt/{python}/bin/python"]
    done = docker(*words, IMAGE, *argv, check=False)
    (project / "measure.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-3000:])


def cold(project: Path, python: str) -> bool:
    """Evict the model's files and the environment's libraries, so that the next container is charged for its pages.

    False where this user cannot see the image's layers: the boundary may then be too low.
    """
    files = [path for path in (project / "weights").rglob("*") if path.is_file()]
    layers = image_layers()
    for layer in layers:
        folders = [layer / "opt" / python, layer / "usr/lib/x86_64-linux-gnu", layer / "usr/lib/aarch64-linux-gnu"]
        files += code_files(folder for folder in folders if folder.is_dir())
        files += [path for path in (layer / "usr/bin/python3.11", layer / "usr/local/bin/python3.11") if path.is_file()]
    evicted = evict(path for path in files if not path.is_symlink())
    return bool(layers) and evicted.resident_bytes < 0.02 * evicted.total_bytes


def image_layers() -> list[Path]:
    """The image's layers as folders of this machine; empty where they are elsewhere or not ours to read."""
    found = json.loads(docker("image", "inspect", "--format", "{{json .GraphDriver.Data}}", IMAGE).stdout)
    paths = [Path(path) for path in f"{found.get('UpperDir', '')}:{found.get('LowerDir', '')}".split(":") if path]
    return [path for path in paths if os.access(path, os.R_OK)]


def _parent() -> list[str]:
    return ["--cgroup-parent", PARENT] if PARENT else []


def versions(python: str) -> dict[str, str]:
    """Distribution -> version of one environment of the image."""
    program = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found: dict[str, str] = json.loads(docker("run", "--rm", IMAGE, f"/opt/{python}/bin/python", "-c", program).stdout)
    return found


@contextmanager
def container(
    project: Path,
    python: str,
    argv: Sequence[str],
    environ: dict[str, str],
    *,
    limit_bytes: int | None,
    health: Sequence[str] = (),
    network: str | None = None,
) -> Iterator[str]:
    """A container of the row as compose would start it, under ``limit_bytes`` without swap; gone at the end."""
    name = f"mlpack-bench-{uuid.uuid4().hex[:12]}"
    words = ["run", "--detach", "--name", name, "--init", "--read-only", "--user", "10001:10001", "--cpus", "2"]
    words += ["--tmpfs", f"/tmp:mode=1777,size={TMP_MIB}m", "--shm-size", "64m", "--pids-limit", "384"]
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-v", f"{project}:{ROOT}:ro", "-w", ROOT]
    words += [*_parent()]
    words += ["-p", "127.0.0.1::8000"] if network is None else ["--network", network]
    if limit_bytes is not None:
        words += ["--memory", str(limit_bytes), "--memory-swap", str(limit_bytes)]
    for key, value in {**environ, "PATH": f"/opt/{python}/bin:/usr/local/bin:/usr/bin:/bin"}.items():
        words += ["--env", f"{key}={value}"]
    if health:
        words += ["--health-cmd", "exec " + " ".join(health), "--health-interval", "1s", "--health-timeout", "10s"]
    try:
        docker(*words, IMAGE, *argv)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name, check=False)

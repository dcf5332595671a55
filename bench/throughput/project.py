"""A service made ready: a copy of its project with an environment of its own, measured and planned by mlpack itself."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.throughput import client
from bench.throughput.points import Point, environment

from mlpack.host import CgroupFacts, CpuFacts, HostFacts, MemoryFacts
from mlpack.launchers.local_limit import Wanted
from mlpack.launchers.relocate import local_argv, relocated
from mlpack.plan import Plan, ServicePlan
from mlpack.servers import wiring
from mlpack.units import GIB

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SERVICE = "web"
PIDS = 4096
"""For the points of the grid; mlpack's own choice runs under its own limit of processes."""
LEFT_OUT = shutil.ignore_patterns(".venv", "deploy", "footprint.json", "__pycache__")


@dataclass(frozen=True)
class Case:
    """A service on a machine: ``cores`` is the quota, ``ram_gib`` what the machine has."""

    name: str
    source: Path
    path: str
    sample: str
    field: str = "input"
    """Of the form that carries a .npy sample."""
    cores: int = 2
    ram_gib: float = 4.0


EMBEDDING = REPOSITORY / "examples" / "embedding"
SERVICES = HERE / "services"
NUMBERS = "samples/input.npy"
CASES = (
    Case("embedding", EMBEDDING, "/embed", "samples/sentences.json"),
    Case("pitch", SERVICES / "pitch", "/predict", NUMBERS),
    Case("nsfw", SERVICES / "nsfw", "/predict", NUMBERS),
    Case("edges", SERVICES / "edges", "/predict", NUMBERS, field="picture"),
    Case("trees", SERVICES / "trees", "/predict", NUMBERS),
)


@dataclass(frozen=True)
class Ready:
    """A case whose environment, footprint and plan are there."""

    case: Case
    folder: Path
    plan: Plan
    request: bytes
    versions: dict[str, str]
    policies: bool
    """OMP_WAIT_POLICY is read by a library of the running app (OMP_DISPLAY_ENV shows it)."""

    @property
    def service(self) -> ServicePlan:
        return self.plan.services[SERVICE]

    @property
    def preloads(self) -> bool:
        """Fork after the import is possible and no runtime is known to hang after it."""
        return self.service.server == "gunicorn" and "tensorflow" not in self.service.runtimes

    @property
    def choice(self) -> Point:
        """What mlpack planned."""
        one = self.service
        passive = "OMP_WAIT_POLICY" in one.environment
        return Point(one.workers.value, one.threads.value, passive, one.preload.value)

    def limit(self, *, planned: bool) -> Wanted:
        """The planned limit, or all that the machine's profile leaves to the project."""
        if planned:
            return Wanted(self.service.memory.limit_bytes.value, self.service.cpus.value, self.service.pids.value)
        return Wanted(self.plan.budget.usable_bytes.value, float(self.case.cores), PIDS)

    def environ(self, point: Point | None) -> dict[str, str]:
        """The variables of a process at ``point``; None: exactly as planned."""
        planned = wiring.environment(self._local(), SERVICE)
        chosen = planned if point is None else environment(planned, point)
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "PYTHONUNBUFFERED": "1", **chosen}

    def argv(self, point: Point | None) -> list[str]:
        """The rendered command; at ``point`` with its number of workers and its fork point in place of the plan's."""
        python = str(self.folder / ".venv" / "bin" / "python")
        words = [re.sub(r"^(127\.0\.0\.1:)?65000$", r"\g<1>{port}", w) for w in local_argv(self._local(), SERVICE)]
        words = ["{port}" if word == "65000" else word for word in words]
        if point is None:
            return [python, "-m", *words]
        if self.service.server == "gunicorn":
            rendered = self.folder / "deploy" / "prod" / f"{SERVICE}.gunicorn.conf.py"
            file = self.folder / f"{hashlib.sha256(point.name.encode()).hexdigest()[:8]}.conf.py"
            file.write_text(f"{rendered.read_text()}\nworkers = {point.workers}\npreload_app = {point.preload}\n")
            words[words.index("--config") + 1] = str(file)
            return [python, "-m", *words]
        for option in ("--workers", "--timeout-worker-healthcheck"):
            if option in words:
                at = words.index(option)
                del words[at : at + 2]
        more = ["--workers", str(point.workers), "--timeout-worker-healthcheck", "60"] if point.workers > 1 else []
        return [python, "-m", *words, *more]

    def _local(self) -> Plan:
        return relocated(self.plan, str(self.folder), {SERVICE: 65000})


def ready(case: Case, work: Path, say: str) -> Ready:
    """Prepare ``case`` under ``work``: what is there already is kept. Raises SystemExit with a failed step's words."""
    folder = work / case.name.replace(", ", "-").replace(" ", "-")
    python = folder / ".venv" / "bin" / "python"
    changed = _mark(case)
    if _text(folder / ".prepared") != changed:
        print(f"{say}: copying, installing and fetching ...", flush=True)
        shutil.copytree(case.source, folder, dirs_exist_ok=True, ignore=LEFT_OUT)
        _run([sys.executable, "-m", "venv", str(folder / ".venv")], folder)
        _run([str(python), "-m", "pip", "install", "-q", "-r", "requirements.txt"], folder)
        _run([str(python), "prepare.py" if (folder / "prepare.py").exists() else "fetch_weights.py"], folder)
        (folder / "footprint.json").unlink(missing_ok=True)
        (folder / ".prepared").write_text(changed)
    host = folder / "host.json"
    host.write_text(_host(case).to_json())
    plan = _plan(folder, host)
    if plan.services[SERVICE].footprint_source != "measured":  # none yet, or of another model, request or library
        print(f"{say}: measuring one worker ...", flush=True)
        mlpack("estimate", "--measure", "--profile", "prod", "--python", str(python), folder=folder)
        plan = _plan(folder, host)
    mlpack("render", "prod", "--host", str(host), "--force", folder=folder)
    body = (folder / case.sample).read_bytes()
    form = (body, "application/json") if case.sample.endswith(".json") else client.multipart(case.field, "x.npy", body)
    request = client.message(case.path, *form)
    made = Ready(case, folder, plan, request, {}, policies=False)
    known = folder / ".known"  # starting every library takes a while, and goes with the environment
    if not (known.exists() and known.read_text().startswith(changed)):
        known.write_text(changed + json.dumps([_versions(python), _reads_policy(made)]))
    versions, policies = json.loads(known.read_text().removeprefix(changed))
    return replace(made, versions=versions, policies=policies)


def _plan(folder: Path, host: Path) -> Plan:
    return Plan.model_validate_json(mlpack("plan", "prod", "--host", str(host), "--json", folder=folder))


def _mark(case: Case) -> str:
    """A hash of the project's own files: another one is installed and measured anew."""
    names = ("*.py", "*.yaml", "*.txt", "samples/*")
    files = sorted(file for name in names for file in case.source.glob(name))
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def _text(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def mlpack(*words: str, folder: Path) -> str:
    """Run this tree's mlpack in a project; its output."""
    return _run([sys.executable, "-m", "mlpack", words[0], "-C", str(folder), *words[1:]], folder)


def _host(case: Case) -> HostFacts:
    """The machine that is planned for."""
    cores = case.cores
    cpu = CpuFacts(model=None, architecture="x86_64", physical_cores=cores, logical_cores=cores, affinity_cores=cores)
    memory = MemoryFacts(total_bytes=round(case.ram_gib * GIB), swap_total_bytes=0)
    return HostFacts(system="Linux", release="6.1", memory=memory, cpu=cpu, cgroup=CgroupFacts(version="v2"))


def _reads_policy(made: Ready) -> bool:
    """Whether a library that the imported app loads says that it read OMP_WAIT_POLICY."""
    app = (made.plan.spec.services[SERVICE].app or "app:app").split(":")[0]
    shown = {**made.environ(None), "OMP_WAIT_POLICY": "PASSIVE", "OMP_DISPLAY_ENV": "TRUE"}
    argv = [str(made.folder / ".venv" / "bin" / "python"), "-c", f"import {app}"]
    done = subprocess.run(argv, cwd=made.folder, env=shown, capture_output=True, text=True, timeout=300, check=False)
    return "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def _versions(python: Path) -> dict[str, str]:
    """Every distribution of an environment and its version."""
    code = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    return dict(sorted(json.loads(_run([str(python), "-c", code], python.parent)).items()))


def _run(argv: Sequence[str], folder: Path) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} failed:\n{(done.stderr or done.stdout)[-3000:]}")
    return done.stdout

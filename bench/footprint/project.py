"""A row as a project of mlpack's, and what mlpack says of it: the limits by headers and by measurement."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.footprint.inputs import body
from bench.footprint.rows import SERVED, Row

from mlpack.flow.gather import Gathered, gather
from mlpack.flow.produce import prepare
from mlpack.footprint import Footprint, FootprintFile
from mlpack.host import HostFacts
from mlpack.model import ModelInfo
from mlpack.plan import Plan
from mlpack.probe import probe
from mlpack.render import render
from mlpack.servers import SERVERS
from mlpack.servers.wiring import environment

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
ROOT = "/opt/bench"
PORT = 8000
HOST = REPOSITORY / "tests" / "hosts" / "ci-2c-24g.json"
REQUIREMENTS = {
    "torch": ("torch==2.13.0", "transformers==5.23.0"),
    "onnx": ("onnxruntime==1.32.0",),
    "tensorflow": ("tensorflow-cpu==2.21.0", "keras==3.15.1"),
    "llama": ("xllamacpp==2026.10.11549",),
    "sklearn": ("scikit-learn==1.9.1",),
    "lightgbm": ("lightgbm==4.7.0",),
    "xgboost": ("xgboost-cpu==3.2.0",),
}
"""By environment; of the trees', by library."""


@dataclass(frozen=True)
class Planned:
    """A row's plan and the numbers that the table shows; bytes."""

    plan: Plan
    footprint: Footprint
    limit_bytes: int
    mapped_bytes: int


def service_of(row: Row) -> str:
    """The service's name in the row's project."""
    return "worker" if row.server == "celery" else "web"


def write_project(row: Row, folder: Path, weights: Path) -> None:
    """The row's project in ``folder``: spec, the apps, requirements, and the model's files as hard links."""
    served = SERVED[row.model]
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for file in (HERE / "apps").glob("*.py"):
        shutil.copyfile(file, folder / file.name)
    _link(weights / row.model, folder / "weights" / row.model)
    lines = REQUIREMENTS[served.runtime if served.python == "trees" else served.python]
    lines = lines[:1] if served.app == "torch_app" else lines
    (folder / "requirements.txt").write_text("\n".join([*lines, "gunicorn==27.0.1", "uvicorn==0.54.0"]) + "\n")
    (folder / "mlpack.yaml").write_text(json.dumps(_spec(row), indent=1) + "\n")


def planned(row: Row, folder: Path, *, measured: bool) -> Planned | None:
    """The plan by headers alone, or by footprint.json; None where a measurement is asked for that is not there."""
    gathered = gather(folder)
    if not measured:
        gathered = replace(gathered, measured=FootprintFile())
    name = service_of(row)
    prepared = prepare(gathered, infos(gathered))
    footprint = prepared.footprints[name]
    if measured:
        if name not in gathered.measured.services:
            return None
        footprint = prepared.footprints[name] = gathered.measured.services[name]
    if row.preload and not footprint.fork_proven:
        if measured:
            return None
        prepared.footprints[name] = footprint.model_copy(update={"fork_proven": True})  # as if a proof were there
    service = gathered.spec.services[name].model_copy(update={"preload": row.preload if row.preload else None})
    if SERVERS[row.server].FACTS.preload_fork_point is not None:
        service = service.model_copy(update={"preload": row.preload})
    spec = gathered.spec.model_copy(update={"services": {**gathered.spec.services, name: service}})
    plan = prepared.plan(host(), spec)
    memory = plan.services[name].memory
    return Planned(plan, prepared.footprints[name], memory.limit_bytes.value, memory.mapped_bytes)


@cache
def host() -> HostFacts:
    """The machine to plan for: always the same, but for the read-ahead, which is a part of what the containers do."""
    facts, here = HostFacts.model_validate_json(HOST.read_text()), probe(REPOSITORY).memory.read_ahead_bytes
    return facts.model_copy(update={"memory": facts.memory.model_copy(update={"read_ahead_bytes": here})})


def infos(gathered: Gathered) -> dict[str, ModelInfo]:
    """The headers of the row's models."""
    return {name: info for name, info in gathered.present.items() if info is not None}


def rendered(row: Row, found: Planned, folder: Path) -> tuple[list[str], dict[str, str], list[str]]:
    """Write what mlpack renders into the project; the container's argv, environment and health check follow from it."""
    gathered = gather(folder)
    for artifact in render(found.plan, gathered.requirements):
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)
    name = service_of(row)
    plan = found.plan.services[name]
    argv = list(SERVERS[row.server].argv(found.plan, name))
    health = []
    if plan.health is not None and plan.health.path:
        script = f"{ROOT}/deploy/default/healthcheck.py"
        health = ["python", "-I", "-S", script, str(PORT), plan.health.path, f"{plan.health.timeout_s.value - 0.5:g}"]
    return argv, environment(found.plan, name), health


def _spec(row: Row) -> dict[str, Any]:
    served, name = SERVED[row.model], service_of(row)
    more = {"runtime": served.runtime} | ({} if served.max_input is None else {"max_input": served.max_input})
    paths = {part: f"{served.path}/{part}" for part in served.parts} or {"model": served.path}
    models = {part: {"path": f"weights/{path}", **more} for part, path in paths.items()}
    env: dict[str, Any] = {part.upper(): {"from": f"{part}.path"} for part in models} | served.env | row.env
    if served.python == "llama":
        env["LLAMA_THREADS"] = {"from": f"{name}.threads"}
    service: dict[str, Any] = {"server": row.server, "models": list(models), "workers": row.workers, "threads": 1}
    services: dict[str, Any] = {name: service}
    if row.server == "celery":
        services["broker"] = {"server": "redis"}
        env["BROKER_URL"] = {"from": "broker.url"}
        service |= {"app": "celery_app:app", "measure": {"call": "celery_app:predict", "args": [0]}}
    else:
        service |= {"app": f"{served.app}:app", "interface": row.interface, "port": PORT, "health": "/health"}
        service |= {"concurrency": row.concurrency}
    if row.interface == "asgi":
        env |= {"INTERFACE": "asgi", "CONCURRENCY": {"from": f"{name}.concurrency"}}
        service |= {"endpoint": "def"}
    service["env"] = env
    spec: dict[str, Any] = {
        "name": "bench",
        "root": ROOT,
        "build": {"python": "3.11", "requirements": "requirements.txt"},
        "models": models,
        "services": services,
    }
    if row.server != "celery":
        spec["requests"] = {"one": {"largest": True, "to": name, "post": "/predict", "json": body(served, 0)}}
    return spec


def _link(source: Path, target: Path) -> None:
    """``source`` at ``target`` by hard links: the same file, so that its pages are evicted and counted once."""
    if target.exists():
        return
    for file in sorted(source.rglob("*")):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(file)
